// Named amounts: what a state holds, what a pass costs. The mixers give the names; nobody else lists them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace sala {

template <class T>
class Amounts {
 public:
  struct Item {
    std::string name;
    T amount{};
  };
  Amounts() = default;
  Amounts(std::initializer_list<Item> items) : items_(items) {}

  // Adds to the item of that name; a new name stands last.
  void add(const std::string& name, T amount) {
    const auto found = std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return item.name == name; });
    if (found == items_.end())
      items_.push_back({name, amount});
    else
      found->amount += amount;
  }
  void add(const Amounts& other) {
    for (const Item& item : other.items_) add(item.name, item.amount);
  }
  // 0 when there is no such item.
  T of(const std::string& name) const {
    for (const Item& item : items_)
      if (item.name == name) return item.amount;
    return T{};
  }
  T total() const {  // in the order of the items
    T sum{};
    for (const Item& item : items_) sum += item.amount;
    return sum;
  }
  const std::vector<Item>& items() const { return items_; }

 private:
  std::vector<Item> items_;
};

using Bytes = Amounts<int64_t>;
using Flops = Amounts<double>;  // multiplications and additions

}  // namespace sala
