// The random streams of CPython's `random` and of NumPy's legacy generator, for `upstream` mode only (spec tasks, appendix
// A). Everything else in this project draws from sala::Rng.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sala::tasks {

// MT19937 (Matsumoto and Nishimura 1998): 32-bit outputs.
class Mt19937 {
 public:
  static Mt19937 from_number(uint32_t seed);                    // init_genrand
  static Mt19937 from_array(const std::vector<uint32_t>& key);  // init_by_array
  uint32_t next();
  double random();  // 53 bits of two outputs, in [0, 1)

 private:
  void twist();
  std::array<uint32_t, 624> state_{};
  size_t used_ = 624;
};

// `random.Random(seed)` of CPython 3.11.
class PyRandom {
 public:
  explicit PyRandom(uint64_t seed);
  double random() { return core_.random(); }
  uint64_t getrandbits(int bits);                            // 1..64
  std::pair<uint64_t, uint64_t> getrandbits128();            // high and low half
  uint64_t below(uint64_t n);                                // _randbelow; n >= 1
  int64_t randint(int64_t low, int64_t high);                // both inclusive
  std::string choices(std::string_view letters, int count);  // ''.join(random.choices(letters, k=count))
  // random.sample(range(n), k), in the order drawn. 0 <= k <= n is the caller's duty.
  std::vector<int64_t> sample(int64_t n, int64_t k);
  template <class Container>
  void shuffle(Container& items) {
    for (uint64_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  Mt19937 core_;
};

// `numpy.random.seed(seed)`, `numpy.random.randint(low, high)` of the legacy generator (the upper end is excluded), and the
// doubles in [0, 1) that `numpy.random.uniform` is made of.
class NumpyRandom {
 public:
  explicit NumpyRandom(uint32_t seed) : core_(Mt19937::from_number(seed)) {}
  int64_t randint(int64_t low, int64_t high);  // high - low <= 2^32
  double random() { return core_.random(); }

 private:
  Mt19937 core_;
};

}  // namespace sala::tasks
