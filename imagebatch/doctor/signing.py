"""Whether derived files can be signed here, where the project asks for it."""

from collections.abc import Iterator

from imagebatch.pipeline.doctor import Finding
from imagebatch.pipeline.project import Project
from imagebatch.pipeline.signing import is_installed


def findings(project: Project) -> Iterator[Finding]:
    """Look for the extra and for the key's variable; whether key and certificate fit, each apply tries for itself."""
    settings = project.settings.signing
    if settings is None:
        return
    if not is_installed():
        text = f"signatures: files are to be signed with {settings.path}, and the package c2pa-python is not installed"
        yield Finding(check="signing", state="bad", text=text, hint="pip install 'imagebatch[c2pa]'")
    elif not project.setup.variables.get(settings.key_variable, "").strip():
        text = f"signatures: {settings.key_variable} is not set; whoever makes files with {settings.path} needs it"
        yield Finding(check="signing", state="look", text=text, hint=f"export {settings.key_variable}=/path/to/KEY.pem")
    else:
        text = f"signatures: {settings.alg} with {settings.path} and the key in {settings.key_variable}"
        yield Finding(check="signing", state="ok", text=text)
