// Who waits for whom.
#pragma once

#include "radio.hpp"

#include <algorithm>
#include <ctime>

namespace jscc {

constexpr double TRANSPORT = 0.02;         // s until a received sample reaches the computer
constexpr double RECEIVER_SECONDS = 1.0;   // most that a receiver holds
constexpr std::int64_t MOST_REACH = 512;   // samples on either side that any interpolator needs

inline void pause(double seconds) {
    if (seconds <= 0) return;
    const timespec time{static_cast<time_t>(seconds), static_cast<long>((seconds - static_cast<double>(static_cast<time_t>(seconds))) * 1e9)};
    nanosleep(&time, nullptr);
}

// The end of a call's patience.
class Deadline {
public:
    explicit Deadline(long timeout_us) : end_(monotonic() + 1e-6 * static_cast<double>(std::max(timeout_us, 0L))) {}
    double left() const { return std::max(0.0, end_ - monotonic()); }
    bool over() const { return monotonic() >= end_; }
    void sleep() const { pause(left()); }

private:
    double end_;
};

// Lockstep: the clock of the air goes on as receivers read. A transmitter in a burst keeps no more samples ahead of the
// slowest receiver than its device holds; receivers read no further than a burst has been written. Where nobody receives,
// time stands still; where nobody is in a burst any more, receivers hear noise, no faster than a real clock goes.

// Time of the air from which on every receiver hears a new burst whole. The table's lock must be held.
double heard_until(Air& air);

// Time of the air up to which nobody who hears this device needs anything any more.
double kept_by_listeners(Air& air);

}  // namespace jscc
