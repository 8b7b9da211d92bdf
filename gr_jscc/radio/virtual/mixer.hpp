// What a mixer and its local oscillator do to samples.
#pragma once

#include "air.hpp"

namespace jscc {

// Turns samples by a frequency: samples[i] *= exp(j 2π (cycles + i · step)).
void turn(Sample* samples, std::size_t count, long double cycles, double step);

// IQ imbalance and an offset. Imbalance: I' = I, Q' = g (Q cos φ - I sin φ), that is y = μ x + ν x* with
// μ = (1 + g exp(-jφ))/2 and ν = (1 - g exp(jφ))/2 (Schenk, "RF Imperfections in High-rate Wireless Systems", 2008, ch. 5).
struct MixerFaults {
    double gain_db = 0;        // 20 log10 g, of Q against I
    double phase_degrees = 0;  // φ
    Sample dc{};               // full scale is 1

    // away: frequency of the local oscillator relative to the middle of the band, cycles per sample. There the offset
    // lies, and around it the image is mirrored; what falls out of the band is gone. cycles: its phase at samples[0].
    void apply(Sample* samples, std::size_t count, double away, long double cycles) const;
};

}  // namespace jscc
