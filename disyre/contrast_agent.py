"""A contrast agent in a volume: what it brightens is nothing that the models know, so a warning says so."""

from disyre.admission import OnWarning
from disyre.stacks import Stack
from disyre.wording import counted


def warn_of_agent(stack: Stack, on_warning: OnWarning) -> None:
    """Tell if the headers of a volume state a contrast agent, or some of them do."""
    n_with = sum(image.sequence.has_agent for image in stack)
    if n_with == len(stack):
        on_warning(
            "the headers state a contrast agent (ContrastBolusAgent), and the models know scans without one: "
            "what takes it up, such as vessels, may be marked though it is healthy"
        )
    elif n_with:
        on_warning(f"{n_with} of {counted(len(stack), 'image')} state a contrast agent, the others none")
