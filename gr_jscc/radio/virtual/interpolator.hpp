// Samples between samples: a signal on one clock as another clock sees it.
#pragma once

#include "air.hpp"

#include <vector>

namespace jscc {

// Interpolates with a sinc under a Kaiser window, 80 dB. Up to `bandwidth` - 0.08 cycles per sample the signal is kept,
// from `bandwidth` + 0.08 on it is gone; images lie 80 dB below.
class Interpolator {
public:
    // bandwidth: cycles per input sample, above 0 up to 0.5.
    explicit Interpolator(double bandwidth);

    int reach() const { return reach_; }  // input samples needed on either side of a place

    // Adds out[i] += in(place + i · step), where the input's sample k is at place k. Its samples from
    // floor(place) - reach() + 1 to floor(place + (count - 1) · step) + reach() must be there.
    void add(const Sample* in, double place, double step, Sample* out, std::size_t count) const;

private:
    int reach_;
    std::vector<float> taps_;  // one row for each of PHASES + 1 places between two samples, every tap twice
};

}  // namespace jscc
