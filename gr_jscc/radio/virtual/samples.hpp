// Converters, amplifier and the formats of samples: all without memory.
#pragma once

#include "air.hpp"

#include <string>

namespace jscc {

// A converter of n bits for each of I and Q: codes -2^(n-1) ... 2^(n-1) - 1, full scale 1. 0 bits: it only clips.
void convert(Sample* samples, std::size_t count, int bits);

// A gain, then a solid-state amplifier: y = x / (1 + (|x|/A)^4)^(1/4), Rapp's model with smoothness 2 ("Effects of
// HPA-nonlinearity on a 4-DPSK/OFDM-signal for a digital sound broadcasting system", ECSC 1991).
// compression_db: the power |x|² at which |y|² is 1 dB less than that; infinite for a linear amplifier.
void amplify(Sample* samples, std::size_t count, double gain_db, double compression_db);

// The formats at the API.
enum class Format { cf32, cs16, cs8 };
Format format_named(const std::string& name);  // Throws std::runtime_error where there is none.
std::size_t bytes_of(Format format);
void read_format(Format format, const void* from, Sample* to, std::size_t count);
void write_format(Format format, const Sample* from, void* to, std::size_t count);

}  // namespace jscc
