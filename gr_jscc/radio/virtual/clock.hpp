// A device's clock against the time of the air.
#pragma once

#include <cmath>
#include <cstdint>

namespace jscc {

// One oscillator runs a device's sample clock, its hardware time and its carriers. A fast one counts more than a second
// in a second of the air. Sample k of a stream belongs to the hardware time k / rate, so streams of equal rate on clocks
// without error have their samples at the same moments.
struct Clock {
    double air = 0;       // s of the air at which...
    double hardware = 0;  // ...the hardware time was this, s
    double ppm = 0;       // by which the clock is too fast

    double speed() const { return 1 + ppm * 1e-6; }

    // Samples since the hardware time 0 at a time of the air. long double: hours of samples and a millionth of one.
    long double ticks(long double time, double rate) const { return (hardware + (time - air) * speed()) * rate; }

    // The time of the air at a sample.
    long double time(long double tick, double rate) const { return air + (tick / rate - hardware) / speed(); }

    // Changes the speed from a time on; the hardware time goes on from where it is.
    void retune(double new_ppm, double now) {
        hardware = static_cast<double>(ticks(now, 1));
        air = now;
        ppm = new_ppm;
    }
};

inline std::int64_t floor_tick(long double ticks) { return static_cast<std::int64_t>(std::floor(ticks + 1e-6L)); }

}  // namespace jscc
