#include "sala/model/tap.h"

#include <algorithm>

namespace sala {

TapView TapView::on_host(Device& device, std::vector<char>& copy) const {
  TapView here = *this;
  if (data_ == nullptr || device.on_host(data_)) return here;
  int64_t elements = 1;  // from the first to the last
  for (std::size_t axis = 0; axis < extent_.size(); ++axis) {
    if (extent_[axis] == 0) return here;
    elements += (extent_[axis] - 1) * stride_[axis];
  }
  const int64_t bytes = elements * static_cast<int64_t>(type_ == Type::kInt64 ? sizeof(int64_t) : sizeof(int32_t));
  copy.resize(static_cast<std::size_t>(bytes));
  device.copy(copy.data(), data_, bytes, Device::Copy::kToHost);
  here.data_ = copy.data();
  return here;
}

const TapView& Tap::operator[](std::string_view name) const {
  for (const TapView& view : views)
    if (view.name() == name) return view;
  throw Error(ErrorCode::kInternal, "site '{}' has no view '{}'", site, name);
}

bool Taps::reads(std::string_view site) const {
  return observer_ != nullptr && std::find(sites_->begin(), sites_->end(), site) != sites_->end();
}

bool Taps::asks_for(int64_t position) const {
  return std::any_of(sites_->begin(), sites_->end(),
                     [&](const std::string& site) { return observer_->wants(site, layer_, position); });
}

void Taps::tell(std::string_view site, int64_t position, std::initializer_list<TapView> views) const {
  if (observer_ == nullptr) return;
  if (device_ == &cpu_device()) return observer_->on_tap({site, layer_, position, {views.begin(), views.size()}});
  std::vector<std::vector<char>> copies(views.size());
  std::vector<TapView> here;
  for (const TapView& view : views) here.push_back(view.on_host(*device_, copies[here.size()]));
  device_->sync();  // on_host() has asked for the copies
  observer_->on_tap({site, layer_, position, here});
}

void Taps::tell_rows(std::string_view site, std::string_view name, int64_t first_position,
                     TensorView<const float, 2> x) const {
  if (!reads(site)) return;
  for (int64_t begin = 0, end; begin < x.extent[0]; begin = end) {
    const bool wanted = wants(site, first_position + begin);
    for (end = begin + 1; end < x.extent[0] && wants(site, first_position + end) == wanted;) ++end;
    if (wanted)
      tell(site, first_position + begin,
           {TapView(name, std::array<std::string_view, 2>{"token", "channel"}, x.slice(begin, end))});
  }
}

}  // namespace sala
