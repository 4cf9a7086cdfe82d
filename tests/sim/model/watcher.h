// An observer of one site, made of two functions.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "sala/model/tap.h"

namespace sala {

class Watcher final : public Observer {
 public:
  // `see` gets what `site` shows at the positions that `wanted` accepts.
  Watcher(std::string_view site, std::function<bool(int layer, int64_t position)> wanted,
          std::function<void(const Tap&)> see)
      : site_(site), wanted_(std::move(wanted)), see_(std::move(see)) {}
  // Everything at the site.
  Watcher(std::string_view site, std::function<void(const Tap&)> see)
      : Watcher(
            site, [](int, int64_t) { return true; }, std::move(see)) {}
  std::vector<std::string> sites() const override { return {site_}; }
  bool wants(std::string_view site, int layer, int64_t position) const override {
    EXPECT_EQ(site, site_);
    return wanted_(layer, position);
  }
  void on_tap(const Tap& tap) override {
    EXPECT_EQ(tap.site, site_);
    see_(tap);
  }

 private:
  std::string site_;
  std::function<bool(int, int64_t)> wanted_;
  std::function<void(const Tap&)> see_;
};

}  // namespace sala
