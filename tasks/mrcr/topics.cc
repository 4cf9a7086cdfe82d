// What the built-in conversations are about: concrete plural nouns, in no order that means anything.
#include <algorithm>
#include <array>

#include "tasks/mrcr/lexicon.h"

namespace sala::tasks {
namespace {

constexpr auto kTopicsA = std::to_array<std::string_view>({
    // tools, hardware, household
    "anvils augers awls axes bellows bolts brackets buckets chisels clamps crowbars drills files funnels gimlets gloves",
    "hammers handsaws hatchets hinges hooks hoses jacks ladders lathes levers mallets nails nuts padlocks pickaxes planes",
    "pliers plungers pulleys rakes ratchets rivets rollers ropes sanders saws scissors screwdrivers screws shears shovels",
    "sickles spades spanners staples tacks tongs trowels tweezers vices wedges wheelbarrows winches wrenches ashtrays",
    "barrels baskets blankets bookends bowls brooms brushes buttons candles candlesticks carpets casks chairs chandeliers",
    "clocks combs corkscrews cradles crates cupboards curtains cushions desks dishes doorbells doorknobs drawers dustpans",
    "envelopes fans forks frames glasses goblets hammocks hampers handkerchiefs hourglasses irons jars jugs kettles keys",
    "knives lamps lanterns mattresses mirrors mugs napkins needles ovens pans parasols pillows pitchers plates quilts",
    "razors rugs saucers shelves sieves sinks soaps spoons stools stoves tables teapots thimbles toasters towels trays",
    "trunks umbrellas vases wardrobes whisks",
    // animals
    "alpacas anteaters antelopes armadillos badgers barnacles bats bears beavers beetles bison boars buffaloes",
    "butterflies buzzards camels canaries caterpillars cheetahs chickens cicadas clams cobras cockatoos cormorants",
    "coyotes crabs cranes crickets crocodiles crows cuckoos curlews dolphins donkeys doves dragonflies ducks eagles",
    "earthworms eels elephants falcons ferrets finches fireflies flamingos foxes frogs geckos gerbils gibbons giraffes",
    "goats goldfish gorillas grasshoppers gulls hamsters hares hawks hedgehogs herons herrings hippos hornets horses",
    "hummingbirds hyenas ibexes iguanas jackals jaguars jays jellyfish kangaroos kestrels kingfishers koalas ladybirds",
    "larks lemmings lemurs leopards lizards llamas lobsters locusts lynxes mackerels magpies manatees meerkats moles",
    "mongooses monkeys moths mules mussels newts nightingales octopuses orangutans ospreys ostriches otters owls oxen",
    "oysters pandas panthers parrots peacocks pelicans penguins pheasants pigeons ponies porcupines possums puffins",
    "quails rabbits raccoons ravens reindeer robins salamanders salmon scorpions seahorses seals sharks sheep shrimps",
    "skunks sloths slugs snails sparrows spiders squids squirrels starfish starlings storks swallows swans tapirs",
    "termites thrushes tigers toads tortoises toucans trouts turkeys turtles vultures walruses wasps weasels whales",
    "wolves wolverines wombats woodpeckers wrens yaks zebras",
});
constexpr auto kTopicsB = std::to_array<std::string_view>({
    // plants and what they bear
    "acorns almonds apples apricots artichokes ashes asters bamboos beans beeches beets birches blackberries bluebells",
    "brambles buttercups cabbages cacti carnations carrots cedars cherries chestnuts chrysanthemums cloves clovers",
    "coconuts corns cranberries crocuses cucumbers cypresses daffodils dahlias daisies dandelions dates elms ferns figs",
    "foxgloves geraniums gourds grapes hazelnuts hollies hyacinths irises ivies junipers larches lemons lentils lettuces",
    "lilacs lilies limes lotuses lupins mangoes maples marigolds melons mosses mulberries mushrooms nettles oaks olives",
    "onions oranges orchids palms pansies parsnips peaches peanuts pears peas peonies pines plums pomegranates poplars",
    "poppies potatoes primroses pumpkins radishes reeds roses sequoias shallots snowdrops spruces squashes strawberries",
    "sunflowers sycamores thistles tomatoes tulips turnips violets walnuts waterlilies willows yews",
    // clothing and ornaments
    "anklets aprons beads belts berets bonnets boots bracelets braids brooches buckles capes cardigans cloaks clogs coats",
    "collars corsets crowns cufflinks dresses earrings feathers gowns hats helmets jackets jerseys kilts kimonos laces",
    "lockets masks medals mittens moccasins mufflers necklaces overcoats pendants petticoats pockets ponchos raincoats",
    "ribbons rings robes sandals sashes scarves shawls shirts shoes skirts slippers socks spectacles stockings suspenders",
    "sweaters tassels tiaras tunics turbans uniforms veils vests waistcoats wigs zippers",
});
constexpr auto kTopicsC = std::to_array<std::string_view>({
    // vehicles, ships, machines
    "airships ambulances anchors axles balloons barges bicycles biplanes bulldozers buses cabooses canoes caravans",
    "carriages cars carts catamarans chariots compressors conveyors cranks cutters dinghies dredgers engines ferries",
    "forklifts freighters galleons gears generators gliders gondolas gyroscopes helicopters hovercrafts kayaks kites",
    "lifeboats locomotives lorries masts mopeds motorcycles oars paddles parachutes pedals periscopes pistons ploughs",
    "propellers pumps rafts rickshaws rockets rudders sailboats satellites schooners scooters sextants skateboards",
    "sledges sleighs steamers submarines tandems tankers tractors trams trawlers tricycles trolleys tugboats turbines",
    "unicycles wagons wheels windmills yachts",
    // buildings, places, parts of them
    "abbeys aqueducts arches attics balconies barns beacons belfries benches bridges bungalows cabins castles cellars",
    "chapels chimneys cisterns cloisters corridors cottages courtyards dams docks domes doors drawbridges dungeons",
    "elevators embassies factories farms fences fireplaces fortresses fountains galleries garages gardens gates granaries",
    "greenhouses hallways harbours hedges huts igloos inns jetties kennels kilns lighthouses lodges mansions mazes mills",
    "minarets moats monuments obelisks observatories orchards palaces parapets pavilions piers pillars porches pyramids",
    "quarries ramparts reservoirs roofs sheds silos spires stables staircases statues steeples tents terraces thresholds",
    "towers tunnels turrets vaults verandas villas vineyards walls warehouses watchtowers wells wharves windows",
});
constexpr auto kTopicsD = std::to_array<std::string_view>({
    // instruments, games, writing, science
    "accordions bagpipes banjos bassoons bells bugles castanets cellos chimes cymbals drums dulcimers fiddles flutes",
    "gongs guitars harmonicas harps horns lutes lyres mandolins maracas metronomes oboes organs piccolos recorders",
    "tambourines triangles trombones trumpets tubas ukuleles violas violins whistles xylophones almanacs atlases ballads",
    "blueprints bookmarks calendars cartoons chalkboards charts codices crayons crosswords diagrams dictionaries dominoes",
    "drawings easels engravings erasers etchings footballs frescoes globes inkwells jigsaws journals kaleidoscopes",
    "ledgers letters manuscripts maps marbles microscopes mosaics murals newspapers notebooks paintbrushes paintings",
    "pamphlets parchments pencils postcards posters puppets puzzles quills riddles scrolls sculptures sketches stamps",
    "stencils tapestries telegrams telescopes textbooks thermometers tickets yoyos barometers batteries cables cameras",
    "compasses crucibles diodes flasks lenses magnets pendulums prisms radios scales stethoscopes stopwatches switches",
    "thermostats transistors",
    // land, water, sky, stones
    "avalanches bays beaches bogs boulders brooks canyons caves cliffs clouds coasts comets coves craters creeks deltas",
    "deserts dunes eclipses estuaries fjords floods fogs forests fossils geysers glaciers gorges groves gullies",
    "hailstones hills icebergs islands lagoons lakes lawns marshes meadows meteors moons mountains oases peninsulas",
    "pebbles plains planets plateaus ponds puddles rainbows rapids ravines reefs ridges rivers sandbanks shadows shores",
    "snowflakes springs stars straits streams swamps thunderstorms tides tornadoes valleys volcanoes waterfalls waves",
    "whirlpools agates ambers amethysts bricks corals crystals diamonds emeralds garnets gems jades opals pearls quartzes",
    "rubies sapphires shells slates tiles topazes",
});
constexpr auto kTopicsE = std::to_array<std::string_view>({
    // trade, food, customs
    "auctions bakeries banquets bargains bazaars bonfires bouquets bills biscuits bonds buns cakes carnivals cheeses",
    "coins contracts cookies coupons dumplings fairs festivals fireworks invoices jams jellies lanyards loaves lotteries",
    "markets menus muffins noodles omelettes pageants pancakes parades pastries pickles picnics pies pretzels puddings",
    "pushcarts raffles receipts recipes regattas salads sandwiches sauces scarecrows soups stews syrups tariffs tarts",
    "taxes toffees tollbooths treaties truffles vouchers waffles wallets weddings wreaths",
});

std::vector<std::string_view> split_words() {
  std::vector<std::string_view> words;
  const auto split = [&](std::span<const std::string_view> lines) {
    for (std::string_view line : lines) {
      for (size_t begin = 0; begin < line.size();) {
        const size_t end = std::min(line.find(' ', begin), line.size());
        words.push_back(line.substr(begin, end - begin));
        begin = end + 1;
      }
    }
  };
  for (const auto& lines : {std::span<const std::string_view>(kTopicsA), std::span<const std::string_view>(kTopicsB),
                            std::span<const std::string_view>(kTopicsC), std::span<const std::string_view>(kTopicsD),
                            std::span<const std::string_view>(kTopicsE)})
    split(lines);
  return words;
}

}  // namespace

const std::vector<std::string_view>& mrcr_topics() {
  static const auto topics = split_words();
  return topics;
}

}  // namespace sala::tasks
