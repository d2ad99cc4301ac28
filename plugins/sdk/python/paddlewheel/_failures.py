"""Why an event was not transformed. The texts are for people: they stand in the report and in the dead letter."""


class Reject(Exception):
    """This event can never be processed, by this version of the plugin.

    The step's failure policy decides what becomes of it: by default it is kept as a dead letter.
    """


class Refused(Reject):
    """The host could not do what it was asked, such as a `set` through a text. Nothing was changed."""


class Retry(Exception):
    """Not now.

    The batch stops here and Kinesis sends it again later, for as long as the step's `retry_for_s` allows.
    """
