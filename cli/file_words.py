"""What is wrong with a file, in words."""


def told(error: OSError, *, name: str = "") -> str:
    """Why a file or folder could not be used; it is called `name`, if that is to be said.

    >>> told(FileNotFoundError(2, "No such file or directory"), name="IN (a.nii)")
    'IN (a.nii): there is no such file or folder'
    >>> told(PermissionError(13, "Permission denied"))
    'cannot be read or written: Permission denied'
    """
    if isinstance(error, FileNotFoundError):
        return f"{name}: there is no such file or folder" if name else "there is no such file or folder"
    return f"{name} cannot be read or written: {error.strerror}".lstrip()
