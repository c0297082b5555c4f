"""How things look: text for people, JSON for programs, Markdown for pull requests; nothing here decides anything."""
