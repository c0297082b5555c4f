"""`verify`: lock, manifests, picks, files and store held against each other, by checks of which none stops another."""
