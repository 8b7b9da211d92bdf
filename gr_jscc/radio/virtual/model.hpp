// What kinds of radio the virtual radio can be.
#pragma once

#include <SoapySDR/Types.hpp>

#include <string>
#include <vector>

namespace jscc {

struct Stage {
    std::string name;
    double least, most, step;  // dB; step 0: any
    double reference;          // see Side
};

// One direction of a radio. At the reference gains a full-scale sample that one device sends is a full-scale sample that
// another receives; at others it is as many dB more or less.
struct Side {
    std::vector<Stage> stages;
    std::vector<std::string> antennas;
    std::size_t buffers;  // that the driver holds, of MTU samples
};

struct Model {
    std::string name, hardware;
    Side tx, rx;
    std::vector<double> rates;          // or, where empty, ...
    double least_rate, most_rate;       // ...any between these, samples per second
    double least_frequency, most_frequency;
    double digital_range;               // Hz that the samples can be shifted digitally, either way; 0: not at all
    bool half_duplex, timed;            // timed: has hardware time, and bursts that start at one
    int bits;                           // of the converters; 0: perfect
    std::size_t mtu;
    double noise_dbfs;                  // of the receiver at the reference gains

    const Side& side(int direction) const;
    SoapySDR::RangeList rate_ranges() const;
};

// Throws std::runtime_error where there is none of the name.
const Model& model_named(const std::string& name);

}  // namespace jscc
