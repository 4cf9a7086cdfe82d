#include "tasks/mrcr/lexicon.h"

#include <array>

namespace sala::tasks {
namespace {

// No ordinal, number or word of order in any of these lists: nothing in a reply may tell which of its kind it is.
constexpr auto kTopicClauses = std::to_array<std::string_view>({
    "the T near P were J that day",
    "N asked about the T and got a C O instead",
    "there had always been T in P",
    "M kept a few T beside the D",
    "the T belonged to nobody until N began to V them",
    "no one could V the T without a O",
    "N said that T were like the D, only more Y",
    "the T turned C in the W",
    "P smelled of T and old X",
    "M wrote a long note about T and the D",
    "some T are best left alone with the W",
    "they counted the T by the light of a C O",
    "N would rather V the T than talk about the X",
    "everything in P depended on the T",
    "M dreamed of T under the W",
    "the T had been traded for a Y D",
    "half of the T were gone when N came back to P",
    "a J stranger wanted to V the T",
    "N laughed whenever M mentioned T",
    "the best T came from behind P",
    "M painted the T C and nobody noticed",
    "you could hear the T from the Y side of P",
    "a D full of T stood beside the O",
    "N had promised M to Z the T",
});

constexpr auto kPlainClauses = std::to_array<std::string_view>({
    "N carried the C O to P",
    "M would not V the Y D",
    "the D in P looked J under the W",
    "N and M tried to Z the X before the W came",
    "nobody in P could V the J D",
    "the C O lay beside a Y X",
    "M told N to V it with the O",
    "the W moved over P like a Y X",
    "N had to Z the D all evening",
    "a J X was waiting in P",
    "M found the D under a C X",
    "they decided to V the X and Z the D",
    "the O was too J to Z",
    "N never learned to Z a Y X",
    "every X in P was C again",
    "M heard the D through the W",
    "somebody had left a Y X by the O",
    "N held the O as if it could V the W",
    "the D was J and the X was Y",
    "M wanted to Z the C D",
    "in P the X is always Y",
    "N forgot the O in a Y X",
    "the W made the D look J",
    "M began to V whatever stood near P",
    "there was no X that N could not Z",
    "a C light fell on the D",
    "N sold the Y X to pay for the O",
    "M slept badly because of the W",
    "the road to P was J with W",
    "N tied the D to a Y X",
    "nothing would Z the O again",
    "M looked at the X for a long while",
    "the people of P used to V the D",
    "N wore something C against the W",
    "it was Y of M to Z the X",
    "the O broke and the D stayed J",
    "N drew a Y X on the wall of P",
    "M was sure that the W would Z the D",
    "a X and a O are all that is left",
    "N gave M the J D for nothing",
    "the C X went missing near P",
    "M could Z anything except the W",
    "N asked for a Y O and a C X",
    "the D had the smell of W",
    "they laughed about the J X until dark",
    "M put the O where the D had been",
    "N still dreams of the Y road out of P",
    "you must V the D gently",
});

constexpr auto kLinks = std::to_array<std::string_view>(
    {", and ", ", while ", ", because ", ", so ", ", but ", ", though ", " until ", ", and yet "});

constexpr auto kPlaces = std::to_array<std::string_view>({
    "the old quay",      "the upper mill",    "the salt yard",     "the north gate",    "the grain hall",
    "the ferry house",   "the back lane",     "the copper pit",    "the pine ridge",    "the tram depot",
    "the glass arcade",  "the flooded field", "the bell loft",     "the rope walk",     "the lower town",
    "the quiet square",  "the winter camp",   "the chalk hollow",  "the toll house",    "the reed bank",
    "the empty theatre", "the boat shed",     "the stone stairs",  "the market cross",  "the gravel bay",
    "the long orchard",  "the fish steps",    "the sunken garden", "the brick chapel",  "the cloth market",
    "the signal box",    "the cattle ford",   "the turf road",     "the wool store",    "the cliff path",
    "the iron bridge",   "the paper works",   "the narrow canal",  "the wooded island", "the dry harbour",
    "the hay barn",      "the tile kiln",     "the goat pasture",  "the harbour wall",  "the hotel kitchen",
    "the river bend",    "the school cellar", "the castle ditch",  "the post office",   "the coal wharf",
    "the bath house",    "the sheep market",  "the printing shop", "the vine terrace",  "the weather station",
    "the dance hall",    "the shingle beach", "the village green", "the station roof",  "the abbey farm",
});

constexpr auto kWeathers = std::to_array<std::string_view>({
    "thin rain",    "dry wind",    "late hail",     "sea fog",     "dusty heat", "soft snow",
    "warm drizzle", "black ice",   "bright frost",  "heavy mist",  "pale haze",  "salt spray",
    "gusty rain",   "still heat",  "wet snow",      "hard frost",  "low cloud",  "slow thunder",
    "harsh sun",    "cold dew",    "grey sleet",    "dull thaw",   "sharp wind", "night rain",
    "evening fog",  "summer hail", "freezing rain", "golden dust", "clear cold", "distant lightning",
});

constexpr auto kColours = std::to_array<std::string_view>({
    "amber",   "ashen",  "auburn", "azure",   "beige",     "black",  "blue",  "bronze", "brown", "cobalt",
    "copper",  "coral",  "cream",  "crimson", "golden",    "green",  "grey",  "indigo", "ivory", "lilac",
    "maroon",  "mauve",  "olive",  "orange",  "pink",      "purple", "red",   "russet", "rusty", "sandy",
    "scarlet", "silver", "tawny",  "teal",    "turquoise", "violet", "white", "yellow",
});

constexpr auto kTools = std::to_array<std::string_view>({
    "adze",   "awl",    "bobbin",  "brush",   "bucket",     "candle", "chisel",  "clamp",     "compass", "crank",  "crowbar",
    "drill",  "file",   "funnel",  "gauge",   "grindstone", "hammer", "hatchet", "hook",      "jack",    "kettle", "knife",
    "ladder", "ladle",  "lantern", "lathe",   "lens",       "lever",  "magnet",  "mallet",    "mirror",  "needle", "oar",
    "paddle", "pencil", "pestle",  "pickaxe", "plane",      "plough", "pulley",  "pump",      "rake",    "rasp",   "razor",
    "ruler",  "saw",    "scale",   "scraper", "scythe",     "shovel", "shuttle", "sickle",    "sieve",   "spade",  "spindle",
    "sponge", "stamp",  "torch",   "trowel",  "vice",       "wedge",  "wheel",   "whetstone", "whistle", "winch",  "wrench",
});

constexpr auto kNouns = std::to_array<std::string_view>({
    "account",  "alarm",    "answer",  "apron",   "archive", "argument", "attic",     "ballad",   "bargain",  "basket",
    "bench",    "blanket",  "border",  "bottle",  "branch",  "bribe",    "cabin",     "cage",     "carpet",   "ceiling",
    "chain",    "chair",    "chart",   "chimney", "choir",   "circle",   "cloak",     "clock",    "coat",     "coin",
    "contract", "corner",   "cradle",  "crate",   "crowd",   "curtain",  "custom",    "debt",     "desk",     "diary",
    "dinner",   "dispute",  "door",    "drawer",  "dream",   "drum",     "echo",      "engine",   "errand",   "excuse",
    "fable",    "feast",    "fence",   "field",   "flag",    "flame",    "floor",     "flute",    "forest",   "fountain",
    "game",     "garden",   "gate",    "ghost",   "gift",    "glove",    "goat",      "habit",    "harbour",  "harvest",
    "hat",      "hedge",    "hill",    "hymn",    "inn",     "insult",   "island",    "jacket",   "joke",     "journey",
    "key",      "kitchen",  "lamp",    "ledger",  "lesson",  "letter",   "list",      "machine",  "map",      "market",
    "mask",     "meadow",   "medal",   "memory",  "message", "mistake",  "moon",      "mountain", "napkin",   "nest",
    "net",      "notebook", "oath",    "omen",    "opera",   "orchard",  "oven",      "packet",   "painting", "palace",
    "parade",   "parcel",   "pattern", "pipe",    "plan",    "plate",    "pocket",    "poem",     "portrait", "promise",
    "prize",    "proverb",  "puzzle",  "quarrel", "quilt",   "raft",     "recipe",    "report",   "riddle",   "ring",
    "river",    "road",     "roof",    "rope",    "rumour",  "sack",     "secret",    "shadow",   "shelf",    "shoe",
    "sign",     "signal",   "silence", "sketch",  "song",    "speech",   "stable",    "statue",   "story",    "stove",
    "street",   "suitcase", "table",   "tent",    "threat",  "ticket",   "timetable", "tower",    "trap",     "treaty",
    "trunk",    "tunnel",   "uniform", "vase",    "verdict", "village",  "violin",    "visit",    "voice",    "wager",
    "wall",     "warning",  "watch",   "wedding", "well",    "window",   "wish",      "workshop",
});

constexpr auto kAdjectives = std::to_array<std::string_view>({
    "absurd",  "ancient",  "awkward", "bare",    "bent",     "bitter",  "blunt",    "brave",     "brief",  "bright",
    "brittle", "broad",    "broken",  "calm",    "careful",  "cheap",   "clean",    "clever",    "clumsy", "coarse",
    "common",  "costly",   "crooked", "cruel",   "curious",  "damp",    "dark",     "deep",      "dense",  "dim",
    "dull",    "eager",    "empty",   "faded",   "faint",    "famous",  "fearless", "fierce",    "flat",   "foolish",
    "foreign", "fragile",  "frozen",  "gentle",  "grand",    "grim",    "heavy",    "hidden",    "hollow", "honest",
    "hopeful", "humble",   "hungry",  "idle",    "jealous",  "jolly",   "lame",     "large",     "lazy",   "light",
    "lonely",  "loose",    "loud",    "lucky",   "mild",     "modest",  "muddy",    "narrow",    "neat",   "nervous",
    "noble",   "noisy",    "odd",     "patient", "peculiar", "plain",   "pleasant", "polite",    "proud",  "pure",
    "quaint",  "quick",    "quiet",   "rare",    "reckless", "rough",   "round",    "rude",      "sacred", "sad",
    "safe",    "secret",   "severe",  "shallow", "sharp",    "shy",     "silent",   "simple",    "sleepy", "slippery",
    "slow",    "small",    "smooth",  "solemn",  "solid",    "sour",    "stern",    "sticky",    "stiff",  "strange",
    "strict",  "stubborn", "sturdy",  "sudden",  "sweet",    "swift",   "tame",     "tender",    "thick",  "thin",
    "tidy",    "tight",    "tiny",    "tired",   "tough",    "unlucky", "useful",   "vague",     "vain",   "vast",
    "vivid",   "warm",     "weary",   "wicked",  "wild",     "wise",    "worn",     "worthless",
});

constexpr auto kVerbs = std::to_array<std::string_view>({
    "admire", "adopt",   "adore",      "arrange",  "bake",    "balance",  "banish",  "beat",      "bend",       "bless",
    "blame",  "borrow",  "bother",     "brighten", "bury",    "burn",     "buy",     "carry",     "carve",      "catch",
    "chase",  "clean",   "climb",      "collect",  "comb",    "conceal",  "copy",    "count",     "cover",      "curse",
    "cut",    "defend",  "deliver",    "describe", "deny",    "destroy",  "dig",     "divide",    "drag",       "draw",
    "dress",  "drop",    "dye",        "enjoy",    "examine", "exchange", "fear",    "feed",      "fetch",      "fill",
    "find",   "finish",  "fix",        "fold",     "follow",  "forget",   "forgive", "gather",    "grind",      "guard",
    "guess",  "hang",    "hate",       "heal",     "heat",    "hide",     "hoist",   "hold",      "honour",     "hunt",
    "ignore", "imitate", "improve",    "inspect",  "invent",  "keep",     "kick",    "lend",      "lift",       "load",
    "lock",   "lose",    "love",       "lower",    "mark",    "measure",  "melt",    "mend",      "mix",        "mock",
    "move",   "name",    "notice",     "obey",     "offer",   "open",     "pack",    "paint",     "photograph", "plant",
    "polish", "praise",  "press",      "protect",  "pull",    "push",     "raise",   "recognize", "refuse",     "remember",
    "rent",   "repair",  "replace",    "rescue",   "respect", "ruin",     "save",    "scatter",   "scratch",    "seize",
    "sell",   "settle",  "shake",      "share",    "sharpen", "shelter",  "sketch",  "smell",     "split",      "steal",
    "stir",   "stretch", "study",      "surround", "swallow", "taste",    "tear",    "thank",     "throw",      "trade",
    "trust",  "twist",   "understand", "visit",    "want",    "warm",     "warn",    "wash",      "watch",      "water",
    "weigh",  "welcome", "wrap",
});

constexpr auto kOnsets = std::to_array<std::string_view>({
    "Al",  "Bar", "Bel", "Bor", "Bren", "Cal", "Cor", "Dal",  "Dor", "Dun", "Eld", "Fal", "Fen", "Gal",
    "Gor", "Hal", "Har", "Hes", "Il",   "Jar", "Jor", "Kal",  "Kel", "Kor", "Lan", "Lor", "Mal", "Mar",
    "Mor", "Nal", "Nor", "Ol",  "Or",   "Pal", "Per", "Quil", "Ral", "Ren", "Ros", "Sal", "Sel", "Sor",
    "Tal", "Ter", "Tor", "Ul",  "Val",  "Ver", "Vol", "Wal",  "Wer", "Yor", "Zal", "Zor",
});

constexpr auto kEndings = std::to_array<std::string_view>({
    "abeth", "adin", "agra",  "alda", "amund", "ander", "anic",  "ardis", "asha",  "avane", "ebra",  "edric", "egan",
    "elka",  "emir", "endra", "enzo", "erith", "esque", "evan",  "ibald", "ickel", "idora", "igan",  "ilva",  "imund",
    "indar", "ioth", "irek",  "issa", "ivar",  "obert", "odine", "ogar",  "olph",  "omira", "ondo",  "orak",  "oska",
    "ovane", "ubal", "udra",  "ulka", "umeth", "unia",  "urin",  "ustan", "uvar",  "ymar",  "yssel",
});

}  // namespace

std::span<const std::string_view> mrcr_topic_clauses() { return kTopicClauses; }
std::span<const std::string_view> mrcr_plain_clauses() { return kPlainClauses; }
std::span<const std::string_view> mrcr_links() { return kLinks; }
std::span<const std::string_view> mrcr_places() { return kPlaces; }
std::span<const std::string_view> mrcr_weathers() { return kWeathers; }
std::span<const std::string_view> mrcr_colours() { return kColours; }
std::span<const std::string_view> mrcr_tools() { return kTools; }
std::span<const std::string_view> mrcr_nouns() { return kNouns; }
std::span<const std::string_view> mrcr_adjectives() { return kAdjectives; }
std::span<const std::string_view> mrcr_verbs() { return kVerbs; }
std::span<const std::string_view> mrcr_onsets() { return kOnsets; }
std::span<const std::string_view> mrcr_endings() { return kEndings; }

}  // namespace sala::tasks
