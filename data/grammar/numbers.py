"""Numbers, clock times and dates in words, in both languages."""

from .clause import Text

_EN_ONES = (
    "", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_EN_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_DE_ONES = (
    "", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf", "dreizehn",
    "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn",
)  # fmt: skip
_DE_TENS = ("", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
_EN_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_DE_ORDINALS = {"ein": "erst", "drei": "dritt", "sieben": "siebt", "acht": "acht"}
WEEKDAYS = (
    Text("Monday", "Montag"),
    Text("Tuesday", "Dienstag"),
    Text("Wednesday", "Mittwoch"),
    Text("Thursday", "Donnerstag"),
    Text("Friday", "Freitag"),
    Text("Saturday", "Samstag"),
    Text("Sunday", "Sonntag"),
)
MONTHS = (
    Text("January", "Januar"),
    Text("February", "Februar"),
    Text("March", "März"),
    Text("April", "April"),
    Text("May", "Mai"),
    Text("June", "Juni"),
    Text("July", "Juli"),
    Text("August", "August"),
    Text("September", "September"),
    Text("October", "Oktober"),
    Text("November", "November"),
    Text("December", "Dezember"),
)


def english(number: int) -> str:
    """A cardinal from 1 to 999: two hundred and thirty-five."""
    hundreds, rest = divmod(number, 100)
    ones = _EN_ONES[rest % 10]
    words = _EN_ONES[rest] if rest < 20 else _EN_TENS[rest // 10] + (f"-{ones}" if ones else "")
    if not hundreds:
        return words
    return f"{_EN_ONES[hundreds]} hundred" + (f" and {words}" if rest else "")


def german(number: int) -> str:
    """A cardinal from 2 to 999 as it stands before a noun: zweihundertfünfunddreißig."""
    hundreds, rest = divmod(number, 100)
    words = f"{_DE_ONES[hundreds]}hundert" if hundreds else ""
    if rest >= 20:
        return words + (f"{_DE_ONES[rest % 10]}und" if rest % 10 else "") + _DE_TENS[rest // 10]
    return words + (_DE_ONES[rest] + "s" * (rest == 1) if rest else "")


def cardinal(number: int) -> Text:
    """A number from 2 to 999 in words."""
    return Text(english(number), german(number))


def ordinal(number: int) -> Text:
    """The stem of an ordinal from 1 to 31: the German one still wants its ending."""
    word = english(number)
    head, dash, last = word.rpartition("-")
    last = _EN_ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    stem = _DE_ORDINALS.get(_DE_ONES[number], _DE_ONES[number] + "t") if number < 20 else german(number) + "st"
    return Text(head + dash + last, stem)


def clock(hour: int, quarter: int) -> Text:
    """At so many quarters past the hour (1 to 12): German counts the half towards the next hour."""
    following = hour % 12 + 1
    en, de = _EN_ONES[hour], _DE_ONES[hour] + "s" * (hour == 1)
    next_en, next_de = _EN_ONES[following], _DE_ONES[following] + "s" * (following == 1)
    return (
        Text(f"at {en} o'clock", f"um {_DE_ONES[hour]} Uhr"),
        Text(f"at a quarter past {en}", f"um Viertel nach {de}"),
        Text(f"at half past {en}", f"um halb {next_de}"),
        Text(f"at a quarter to {next_en}", f"um Viertel vor {next_de}"),
    )[quarter]


def date(day: int, month: int) -> Text:
    """`on the third of May`."""
    number = ordinal(day)
    return Text(f"on the {number.en} of {MONTHS[month].en}", f"am {number.de}en {MONTHS[month].de}")
