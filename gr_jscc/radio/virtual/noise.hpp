// White Gaussian noise.
#pragma once

#include "air.hpp"

#include <cstdint>

namespace jscc {

// Uniform 64-bit numbers: xoshiro256++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators",
// ACM Trans. Math. Softw. 2021).
class Random {
public:
    explicit Random(std::uint64_t seed);
    std::uint64_t operator()();
    double uniform() { return static_cast<double>((*this)() >> 11) * 0x1p-53; }  // in [0, 1)

private:
    std::uint64_t state_[4];
};

// Circular complex Gaussian noise by the ziggurat of 128 layers (Marsaglia and Tsang, "The ziggurat method for generating
// random variables", J. Stat. Softw. 2000). What comes does not depend on how many samples a call asks for.
class Noise {
public:
    explicit Noise(std::uint64_t seed) : random_(seed) {}
    void add(Sample* samples, std::size_t count, double power);  // mean power |n|²

private:
    float normal();
    Random random_;
};

}  // namespace jscc
