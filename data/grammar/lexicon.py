"""The words of the built-in corpus: facts only, no rules.

Every table is read once, at import. A line is one lexeme, with columns between bars. `kinds` says what a noun is, so
that verbs and adjectives can ask for what makes sense: persons eat food, and only a suitcase is heavy. An English word
means one thing in its company (one misses a bus, verpassen, or a person, vermissen), so that its German can be known.
"""

from typing import NamedTuple


class Noun(NamedTuple):
    """A noun with its principal forms."""

    en: str
    en_plural: str  # "" for what is not counted
    de: str
    gender: str  # m, f or n
    genitive: str  # singular; a masculine without -s is weak (des Studenten) and takes it in all cases but the first
    plural: str  # nominative; "" for what is not counted
    kinds: frozenset[str]


class Verb(NamedTuple):
    """A verb with its principal parts and its frame."""

    en: str  # base form
    en_past: str
    en_participle: str
    en_particle: str  # what follows it: pick *up*, wait *for*
    de: str  # infinitive without the separable prefix
    prefix: str  # separable prefix, or ""
    third: str  # third person singular of the present, without the prefix
    participle: str  # with the prefix
    auxiliary: str  # haben or sein
    frame: str  # which complements, see FRAMES
    subjects: frozenset[str]  # kinds
    objects: frozenset[str]  # kinds
    preposition: str  # of a prepositional object
    case: str  # that it takes
    notes: frozenset[str]  # see _VERBS


class Adjective(NamedTuple):
    """An adjective: what it may describe, and where it stands among others (English and German alike)."""

    en: str
    en_comparative: str
    de: str
    stem: str  # before an ending: teur-, dunkl-
    comparative: str  # "" where none is used
    kinds: frozenset[str]
    rank: int  # opinion 0, size 1, quality 2, age 3, colour 4


# English | irregular plural | German with article | genitive | plural | kinds
_NOUNS = """
man | men | der Mann | Mannes | Männer | person
father | | der Vater | Vaters | Väter | person kin single
brother | | der Bruder | Bruders | Brüder | person kin
son | | der Sohn | Sohnes | Söhne | person kin
uncle | | der Onkel | Onkels | Onkel | person kin
grandfather | | der Großvater | Großvaters | Großväter | person kin single
friend | | der Freund | Freundes | Freunde | person close
boy | | der Junge | Jungen | Jungen | person
teacher | | der Lehrer | Lehrers | Lehrer | person job
doctor | | der Arzt | Arztes | Ärzte | person job
neighbour | | der Nachbar | Nachbarn | Nachbarn | person close
student | | der Student | Studenten | Studenten | person job
colleague | | der Kollege | Kollegen | Kollegen | person close
cook |  | der Koch | Kochs | Köche | person job somewhere for
waiter | | der Kellner | Kellners | Kellner | person job
farmer | | der Bauer | Bauern | Bauern | person job
guest | | der Gast | Gastes | Gäste | person
police officer | | der Polizist | Polizisten | Polizisten | person job
tourist | | der Tourist | Touristen | Touristen | person
baker | | der Bäcker | Bäckers | Bäcker | person job
woman | women | die Frau | Frau | Frauen | person
mother | | die Mutter | Mutter | Mütter | person kin single
sister | | die Schwester | Schwester | Schwestern | person kin
daughter | | die Tochter | Tochter | Töchter | person kin
aunt | | die Tante | Tante | Tanten | person kin
grandmother | | die Großmutter | Großmutter | Großmütter | person kin single
nurse | | die Krankenschwester | Krankenschwester | Krankenschwestern | person job
actress | | die Schauspielerin | Schauspielerin | Schauspielerinnen | person job
child | children | das Kind | Kindes | Kinder | person close
girl | | das Mädchen | Mädchens | Mädchen | person
dog | | der Hund | Hundes | Hunde | animal pet
bird | | der Vogel | Vogels | Vögel | animal
bear | | der Bär | Bären | Bären | animal
cat | | die Katze | Katze | Katzen | animal pet
cow | | die Kuh | Kuh | Kühe | animal
mouse | mice | die Maus | Maus | Mäuse | animal
horse | | das Pferd | Pferdes | Pferde | animal pet
apple | | der Apfel | Apfels | Äpfel | food fruit
cake | | der Kuchen | Kuchens | Kuchen | food baked
egg | | das Ei | Eis | Eier | food cooked
pear | | die Birne | Birne | Birnen | food fruit
potato | potatoes | die Kartoffel | Kartoffel | Kartoffeln | food cooked
tomato | tomatoes | die Tomate | Tomate | Tomaten | food fruit
soup | | die Suppe | Suppe | Suppen | food cooked
bread roll | | das Brötchen | Brötchens | Brötchen | food baked
bread | | das Brot | Brotes | - | food baked
cheese | | der Käse | Käses | - | food priced
meat | | das Fleisch | Fleisches | - | food cooked priced
coffee | | der Kaffee | Kaffees | - | drink hot priced
tea | | der Tee | Tees | - | drink hot
wine | | der Wein | Weins | - | drink priced
milk | | die Milch | Milch | - | drink
water | | das Wasser | Wassers | - | drink
beer | | das Bier | Biers | - | drink
letter | | der Brief | Briefes | Briefe | mail text written flat
novel | | der Roman | Romans | Romane | thing text written flat
report | | der Bericht | Berichts | Berichte | mail text written flat
newspaper | | die Zeitung | Zeitung | Zeitungen | thing text flat priced
postcard | | die Postkarte | Postkarte | Postkarten | thing text written flat coloured
book | | das Buch | Buches | Bücher | thing text written flat coloured priced
poem | | das Gedicht | Gedichts | Gedichte | text written sung
story | stories | die Geschichte | Geschichte | Geschichten | text written told
song | | das Lied | Liedes | Lieder | sung
bus | | der Bus | Busses | Busse | vehicle public
train | | der Zug | Zuges | Züge | vehicle public
car | | das Auto | Autos | Autos | vehicle own
bicycle | | das Fahrrad | Fahrrads | Fahrräder | vehicle own
ship | | das Schiff | Schiffes | Schiffe | vehicle public
boat | | das Boot | Bootes | Boote | vehicle own built
coat | | der Mantel | Mantels | Mäntel | clothing
skirt | | der Rock | Rocks | Röcke | clothing
hat | | der Hut | Hutes | Hüte | clothing
shoe | | der Schuh | Schuhs | Schuhe | clothing
jacket | | die Jacke | Jacke | Jacken | clothing
shirt | | das Hemd | Hemdes | Hemden | clothing
dress | | das Kleid | Kleides | Kleider | clothing
table | | der Tisch | Tisches | Tische | furniture top
chair | | der Stuhl | Stuhls | Stühle | furniture top
cupboard | | der Schrank | Schranks | Schränke | furniture opening
mirror | | der Spiegel | Spiegels | Spiegel | furniture
lamp | | die Lampe | Lampe | Lampen | furniture upright device
bed | | das Bett | Bettes | Betten | furniture top
sofa | | das Sofa | Sofas | Sofas | furniture top
key | | der Schlüssel | Schlüssels | Schlüssel | thing flat small
spoon | | der Löffel | Löffels | Löffel | thing flat small used
ball | | der Ball | Balls | Bälle | thing flat coloured used
suitcase | | der Koffer | Koffers | Koffer | thing upright heavy opening coloured priced used
pen | | der Stift | Stifts | Stifte | thing flat small coloured
bag | | die Tasche | Tasche | Taschen | thing heavy opening upright coloured priced used
bottle | | die Flasche | Flasche | Flaschen | thing upright opening coloured used
cup | | die Tasse | Tasse | Tassen | thing upright coloured used
vase | | die Vase | Vase | Vasen | thing upright coloured priced
watch | | die Uhr | Uhr | Uhren | thing flat small device priced
blanket | | die Decke | Decke | Decken | thing flat coloured used
glass | | das Glas | Glases | Gläser | thing upright used
knife | knives | das Messer | Messers | Messer | thing flat small used
picture | | das Bild | Bildes | Bilder | thing drawn priced
present | | das Geschenk | Geschenks | Geschenke | thing heavy opening coloured
radio | radios | das Radio | Radios | Radios | thing device upright priced
computer | | der Computer | Computers | Computer | thing device priced
door | | die Tür | Tür | Türen | opening part
window | | das Fenster | Fensters | Fenster | opening part
garden | | der Garten | Gartens | Gärten | place home
park | | der Park | Parks | Parks | place town
forest | | der Wald | Waldes | Wälder | place
kitchen | | die Küche | Küche | Küchen | place room home
school | | die Schule | Schule | Schulen | place building town
church | | die Kirche | Kirche | Kirchen | place building town
library | libraries | die Bibliothek | Bibliothek | Bibliotheken | place building town
city | cities | die Stadt | Stadt | Städte | place
house | | das Haus | Hauses | Häuser | place building home
room | | das Zimmer | Zimmers | Zimmer | place room home
museum | | das Museum | Museums | Museen | place building town
restaurant | | das Restaurant | Restaurants | Restaurants | place building town priced
hotel | | das Hotel | Hotels | Hotels | place building town priced
village | | das Dorf | Dorfes | Dörfer | place
office | | das Büro | Büros | Büros | place room
question | | die Frage | Frage | Fragen | abstract told
answer | | die Antwort | Antwort | Antworten | abstract
idea | | die Idee | Idee | Ideen | abstract told
rule | | die Regel | Regel | Regeln | abstract told
word | | das Wort | Wortes | Wörter | abstract
problem | | das Problem | Problems | Probleme | abstract told
mistake | | der Fehler | Fehlers | Fehler | abstract
plan | | der Plan | Plans | Pläne | abstract told
concert | | das Konzert | Konzerts | Konzerte | event
film | | der Film | Films | Filme | event
lecture | | der Vortrag | Vortrags | Vorträge | event
journey | | die Reise | Reise | Reisen | event priced
exam | | die Prüfung | Prüfung | Prüfungen | event
wedding | | die Hochzeit | Hochzeit | Hochzeiten | event
party | parties | das Fest | Festes | Feste | event
"""

# English past participle, particle | German third participle auxiliary | frame | subjects | objects | notes
# Forms left out are regular. A hyphen marks a separable prefix. Notes: a preposition and its case; reflexive; active
# (no passive); stative (present only); simple (no progressive, no modal); sense (no progressive, no modal but can);
# once (not a habit); somewhere (one may add where or with whom); for (one may add for whom); dish (with what).
_VERBS = """
buy bought bought | kaufen | acc | person | vehicle clothing furniture food thing drink | for
sell sold sold | verkaufen verkauft verkauft | acc | person | vehicle clothing furniture food thing |
read read read | lesen liest gelesen | acc | person | text | somewhere
write wrote written | schreiben schreibt geschrieben | acc | person | written | somewhere for
eat ate eaten | essen isst gegessen | acc | person animal | food | somewhere dish
drink drank drunk | trinken trinkt getrunken | acc | person | drink | somewhere dish
cook | kochen | acc | person | cooked | dish
bake | backen backt gebacken | acc | person | baked | somewhere for dish
see saw seen | sehen sieht gesehen | acc | person animal | person animal vehicle building thing | sense
hear heard heard | hören | acc | person animal | person animal sung public | sense
look, for | suchen | acc | person | person pet thing clothing town | somewhere
find found found | finden findet gefunden | acc | person | thing mail clothing pet mistake answer word town | sense
lose lost lost | verlieren verliert verloren | acc | person | small mail clothing bag suitcase ball | once simple
repair | reparieren repariert repariert | acc | person | vehicle device furniture part | somewhere
wash | waschen wäscht gewaschen | acc | person | clothing car bicycle fruit cup glass | somewhere
clean | putzen | acc | person | room part bicycle shoe mirror | somewhere
draw drew drawn | zeichnen zeichnet gezeichnet | acc | person | picture animal building person plan | somewhere for
carry | tragen trägt getragen | acc | person | heavy furniture bottle lamp computer |
wear wore worn | tragen trägt getragen | acc | person | clothing | active
visit | besuchen besucht besucht | acc | person | person town village city |
know knew known | kennen kennt gekannt | acc | person | person town abstract text sung film | stative
meet met met | treffen trifft getroffen | acc | person | person | active somewhere
love | lieben | acc | person | person animal sung | stative
need | brauchen | acc | person | thing clothing vehicle furniture | stative
understand understood understood | verstehen versteht verstanden | acc | person | abstract text person film | stative
forget forgot forgotten | vergessen vergisst vergessen | acc | person | thing mail abstract event | simple once
learn | lernen | acc | person | sung word rule | somewhere
order | bestellen bestellt bestellt | acc | person | food drink furniture | for dish
build built built | bauen | acc | person | building boat ship cupboard table | once for
feed fed fed | füttern | acc | person | animal |
photograph | fotografieren fotografiert fotografiert | acc | person | person animal building | somewhere
ask | fragen | acc | person | person |
miss | vermissen vermisst vermisst | acc | person | person pet | stative
miss | verpassen verpasst verpasst | acc | person | public | active once simple
steal stole stolen | stehlen stiehlt gestohlen | acc | person | thing own | once
hide hid hidden | verstecken versteckt versteckt | acc | person | thing mail clothing |
describe | beschreiben beschreibt beschrieben | acc | person | person building picture plan idea problem |
translate | übersetzen übersetzt übersetzt | acc | person | text word | somewhere
sing sang sung | singen singt gesungen | acc | person | song | somewhere for
receive | bekommen bekommt bekommen | acc | person | letter postcard report present answer picture | simple once active
use | benutzen benutzt benutzt | acc | person | own device small cup glass bag |
open | auf-machen | acc | person | opening |
close | zu-machen | acc | person | opening |
call | an-rufen ruft angerufen | acc | person | person |
invite | ein-laden lädt eingeladen | acc | person | person |
pick, up | ab-holen | acc | person | person suitcase present cake | for
tidy, up | auf-räumen | acc | person | room garden cupboard house | for
bring brought brought, along | mit-bringen bringt mitgebracht | acc | person | food drink thing pet |
switch, on | ein-schalten schaltet eingeschaltet | acc | person | computer radio lamp |
switch, off | aus-schalten schaltet ausgeschaltet | acc | person | computer radio lamp |
throw threw thrown, away | weg-werfen wirft weggeworfen | acc | person | thing mail clothing food |
try, on | an-probieren probiert anprobiert | acc | person | clothing | active
write wrote written, down | auf-schreiben schreibt aufgeschrieben | acc | person | abstract story |
bring brought brought, back | zurück-bringen bringt zurückgebracht | acc | person | thing own |
prepare | vor-bereiten bereitet vorbereitet | acc | person | event |
borrow | aus-leihen leiht ausgeliehen | acc | person | own book novel film suitcase computer |
sleep slept slept | schlafen schläft geschlafen | none | person animal |  | somewhere
work | arbeiten arbeitet gearbeitet | none | person |  | somewhere
laugh | lachen | none | person |  | somewhere
cry | weinen | none | person |  | somewhere
dance | tanzen | none | person |  | somewhere
swim swam swum | schwimmen schwimmt geschwommen sein | none | person animal |  | somewhere
get got got, up | auf-stehen steht aufgestanden sein | none | person | |
fall fell fallen, asleep | ein-schlafen schläft eingeschlafen sein | none | person animal |  | simple
wake woke woken, up | auf-wachen wacht aufgewacht sein | none | person animal | |
come came come, back | zurück-kommen kommt zurückgekommen sein | none | person pet | |
arrive | an-kommen kommt angekommen sein | none | person public | |
leave left left | ab-fahren fährt abgefahren sein | none | public | |
begin began begun | an-fangen fängt angefangen | none | event | |
take took taken, place | statt-finden findet stattgefunden | none | event | |
go went gone | gehen geht gegangen sein | goal | person | |
travel travelled travelled | reisen reist gereist sein | city | person | |
fly flew flown | fliegen fliegt geflogen sein | city | person | |
move | um-ziehen zieht umgezogen sein | city | person |  | once
live | wohnen | place | person | | stative
stay | bleiben bleibt geblieben sein | place | person animal | |
help | helfen hilft geholfen | dat | person | person |
thank | danken | dat | person | person |
answer | antworten antwortet geantwortet | dat | person | person |
follow | folgen folgt gefolgt sein | dat | person animal | person animal vehicle |
trust | vertrauen vertraut vertraut | dat | person | person | stative
congratulate | gratulieren gratuliert gratuliert | dat | person | person |
contradict | widersprechen widerspricht widersprochen | dat | person | person |
listen, to | zu-hören | dat | person | person |
belong, to | gehören gehört gehört | dat | vehicle clothing furniture thing pet | person | stative
give gave given | geben gibt gegeben | dat+acc | person | thing food drink clothing |
show showed shown | zeigen | dat+acc | person | thing building room vehicle text |
send sent sent | schicken | dat+acc | person | text present picture watch dress |
bring brought brought | bringen bringt gebracht | dat+acc | person | thing mail food drink |
lend lent lent | leihen leiht geliehen | dat+acc | person | own device book novel pen blanket suitcase |
tell told told | erzählen erzählt erzählt | dat+acc | person | story idea plan problem |
give gave given, back | zurück-geben gibt zurückgegeben | dat+acc | person | thing own clothing |
wait, for | warten wartet gewartet | prep | person | person public letter answer | auf acc
think thought thought, of | denken denkt gedacht | prep | person | person event problem plan | an acc
talk, to | sprechen spricht gesprochen | prep | person | person | mit dat
dream, of | träumen | prep | person | person own event | von dat
laugh, at | lachen | prep | person | person mistake story idea | über acc
remember | erinnern erinnert erinnert | prep | person | person building event text | an acc reflexive stative
look, forward to | freuen | prep | person | event | auf acc reflexive
complain, about | beschweren beschwert beschwert | prep | person | person event soup hotel room | über acc reflexive
take took taken, part in | teil-nehmen nimmt teilgenommen | prep | person | event | an dat
"""

# English comparative | German stem comparative | kinds | rank
_ADJECTIVES = """
good better | gut | besser | food drink text sung event abstract job | 0
bad worse | schlecht | schlechter | food drink text event abstract | 0
beautiful | schön | schöner | clothing furniture place sung animal vase drawn | 0
nice nicer | nett | netter | person | 0
friendly friendlier | freundlich | freundlicher | person | 0
clever cleverer | klug | klüger | person pet | 0
famous | berühmt | berühmter | person church museum hotel restaurant library song | 0
strange stranger | seltsam | seltsamer | person abstract text event | 0
funny funnier | lustig | lustiger | person text sung event | 0
interesting | interessant | interessanter | text abstract event town | 0
boring | langweilig | langweiliger | text event | 0
important | wichtig | wichtiger | text abstract event | 0
difficult | schwierig | schwieriger | abstract exam | 0
expensive | teuer teur | teurer | vehicle clothing furniture priced | 0
cheap cheaper | billig | billiger | vehicle clothing furniture priced | 0
big bigger | groß | größer | place furniture vehicle thing animal problem mistake plan fruit cake potato egg | 1
small smaller | klein | kleiner | place furniture vehicle thing animal child girl boy | 1
tall taller | groß | größer | person | 1
long longer | lang | länger | text clothing event | 1
short shorter | kurz | kürzer | text event | 1
heavy heavier | schwer | schwerer | heavy furniture | 1
tired | müde müd | | person | 2
sick | krank | | person pet | 2
rich richer | reich | reicher | person | 2
poor poorer | arm | ärmer | person | 2
happy happier | glücklich | glücklicher | person | 2
sad sadder | traurig | trauriger | person | 2
hungry hungrier | hungrig | hungriger | person animal | 2
dirty dirtier | schmutzig | schmutziger | clothing room own used | 2
clean cleaner | sauber | sauberer | clothing room own used | 2
broken | kaputt | | vehicle device furniture part | 2
empty | leer | | place bottle cup glass vase | 2
quiet quieter | ruhig | ruhiger | place | 2
warm warmer | warm | wärmer | clothing food room hot | 2
cold colder | kalt | kälter | drink room cooked | 2
fresh fresher | frisch | frischer | food milk water | 2
sweet sweeter | süß | süßer | fruit baked hot wine | 2
fast faster | schnell | schneller | vehicle horse dog | 2
dangerous | gefährlich | gefährlicher | bear dog horse journey idea plan | 2
dark darker | dunkel dunkl | dunkler | room forest church restaurant beer bread | 2
old older | alt | älter | person animal building vehicle clothing furniture thing town city | 3
young younger | jung | jünger | person animal | 3
new newer | neu | neuer | vehicle clothing furniture thing building | 3
modern | modern | moderner | building device | 3
red | rot | | vehicle clothing furniture coloured | 4
green | grün | | vehicle clothing furniture coloured part | 4
blue | blau | | vehicle clothing furniture coloured | 4
black | schwarz | | vehicle clothing pet coloured | 4
white | weiß | | vehicle clothing furniture pet house coloured | 4
brown | braun | | pet furniture clothing heavy | 4
"""


class Modal(NamedTuple):
    """A modal verb: German forms of the first and second person singular and the plural, present and past."""

    en: str
    en_past: str  # "" where only the present is used
    de: str
    present: tuple[str, str, str]
    past: tuple[str, str, str]


MODALS = (
    Modal("can", "could", "können", ("kann", "kannst", "können"), ("konnte", "konntest", "konnten")),
    Modal("have to", "had to", "müssen", ("muss", "musst", "müssen"), ("musste", "musstest", "mussten")),
    Modal("want to", "wanted to", "wollen", ("will", "willst", "wollen"), ("wollte", "wolltest", "wollten")),
    Modal("be allowed to", "was", "dürfen", ("darf", "darfst", "dürfen"), ("durfte", "durftest", "durften")),
    Modal("should", "", "sollen", ("sollte", "solltest", "sollten"), ("", "", "")),
    Modal("would like to", "", "mögen", ("möchte", "möchtest", "möchten"), ("", "", "")),
)

NAMES = {
    "m": ("Peter", "Paul", "Martin", "David", "Jan", "Simon"),
    "f": ("Anna", "Maria", "Laura", "Julia", "Emma", "Sarah"),
}
# Cities and countries: no article in either language
CITIES = (
    ("Berlin", "Berlin"),
    ("Hamburg", "Hamburg"),
    ("Munich", "München"),
    ("Cologne", "Köln"),
    ("Vienna", "Wien"),
    ("London", "London"),
    ("Paris", "Paris"),
    ("Rome", "Rom"),
    ("Germany", "Deutschland"),
    ("France", "Frankreich"),
    ("Italy", "Italien"),
    ("Austria", "Österreich"),
)

_GENDERS = {"der": "m", "die": "f", "das": "n"}


def regular_plural(word: str) -> str:
    """The regular English plural; the third person of a verb follows the same rules."""
    if word.endswith(("s", "sh", "ch", "x", "o")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def _regular_past(word: str) -> str:
    if word.endswith("e"):
        return word + "d"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ied"
    return word + "ed"


def _rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]


def _noun(en: str, en_plural: str, german: str, genitive: str, plural: str, kinds: str) -> Noun:
    article, de = german.split()
    labels = frozenset([*kinds.split(), en])
    if plural == "-":
        return Noun(en, "", de, _GENDERS[article], genitive, "", labels | {"mass"})
    return Noun(en, en_plural or regular_plural(en), de, _GENDERS[article], genitive, plural, labels)


def _verb(english: str, german: str, frame: str, subjects: str, objects: str, notes: str = "") -> Verb:
    forms, _, particle = english.partition(", ")
    base, past, participle = forms.split() if " " in forms else (forms, *[_regular_past(forms)] * 2)
    infinitive, third, perfect, auxiliary = [*german.split(), "", "", ""][:4]
    prefix, _, de = infinitive.rpartition("-")
    stem = de.removesuffix("n").removesuffix("e")
    words = notes.split()
    case = next((word for word in words if word in ("acc", "dat")), "")
    return Verb(
        base,
        past,
        participle,
        particle,
        de,
        prefix,
        third=third or stem + "t",
        participle=perfect or f"{prefix}ge{stem}t",
        auxiliary=auxiliary or "haben",
        frame=frame,
        subjects=frozenset(subjects.split()),
        objects=frozenset(objects.split()),
        preposition=words[0] if case else "",
        case=case,
        notes=frozenset(words[2:] if case else words),
    )


def _adjective(english: str, german: str, comparative: str, kinds: str, rank: str) -> Adjective:
    en, _, en_comparative = english.partition(" ")
    de, _, stem = german.partition(" ")
    more = en_comparative or f"more {en}"
    return Adjective(en, more, de, stem or de, comparative, frozenset(kinds.split()), int(rank))


NOUNS = tuple(_noun(*row) for row in _rows(_NOUNS))
VERBS = tuple(_verb(*row) for row in _rows(_VERBS))
ADJECTIVES = tuple(_adjective(*row) for row in _rows(_ADJECTIVES))
