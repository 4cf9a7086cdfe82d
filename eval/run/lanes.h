// Work side by side whose results are taken by one thread.
#pragma once

#include <cstdint>
#include <functional>

namespace sala::eval {

// What is left to do with the result of an item.
using Delivery = std::function<void()>;
// Does item `item` in lane `lane`. check() throws when another lane has failed: the work will not be needed.
using LaneWork = std::function<Delivery(int lane, int64_t item, const std::function<void()>& check)>;

// Calls work() once for every item in [0, items), the next one in the next lane that is free, and each delivery as soon as
// its item is done, one at a time, in the thread of the caller. Each of several lanes is a thread; one alone is the
// caller's. Lanes wait while as many deliveries as there are lanes are outstanding. The first exception is rethrown here
// after all lanes have ended. What other lanes had finished by then is delivered, unless it was a delivery that failed.
void run_lanes(int64_t lanes, int64_t items, const LaneWork& work);

}  // namespace sala::eval
