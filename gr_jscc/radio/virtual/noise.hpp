// Noise, of receivers and of oscillators.
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
    std::size_t part(std::size_t whole) { return whole ? 1 + static_cast<std::size_t>(uniform() * whole) : 0; }

private:
    std::uint64_t state_[4];
};

// What random numbers of a device are for; each use has its own, whatever the others do.
enum class Use { noise, overflows, underflows, received_phase, sent_phase };
std::uint64_t seeded(double seed, Use use);

// Circular complex Gaussian noise by the ziggurat of 128 layers (Marsaglia and Tsang, "The ziggurat method for generating
// random variables", J. Stat. Softw. 2000). What comes does not depend on how many samples a call asks for.
class Noise {
public:
    explicit Noise(std::uint64_t seed) : random_(seed) {}
    void add(Sample* samples, std::size_t count, double power);  // mean power |n|²

    float normal();  // mean 0, variance 1

private:
    Random random_;
};

// The phase noise of a synthesiser: an oscillator held by a first-order phase-locked loop of 50 kHz. The phase is an
// Ornstein-Uhlenbeck process, φ[n] = a φ[n-1] + σ sqrt(1 - a²) w[n] with a = exp(-2π 50 kHz / rate) (Mehrotra, "Noise
// analysis of phase-locked loops", IEEE Trans. Circuits Syst. I 2002), as gr_jscc.channel has it.
class PhaseNoise {
public:
    explicit PhaseNoise(std::uint64_t seed) : noise_(seed) {}
    void apply(Sample* samples, std::size_t count, double rms_degrees, double rate);

private:
    Noise noise_;
    double phase_ = 0;  // in units of σ
};

}  // namespace jscc
