// A receive stream.
#pragma once

#include "interpolator.hpp"
#include "noise.hpp"
#include "radio.hpp"
#include "samples.hpp"

#include <map>
#include <memory>

namespace jscc {

class Receiver {
public:
    Receiver(Radio& radio, Format format, std::size_t buffers);
    ~Receiver();

    // These are SoapySDR::Device's, with its return codes.
    int activate(int flags, long long time_ns, std::size_t count);
    int deactivate();
    int read(void* samples, std::size_t count, int& flags, long long& time_ns, long timeout_us);

private:
    struct Path;  // from one transmitter

    void refresh();
    void stamp(int& flags, long long& time_ns) const;
    int wait_real(std::size_t count, const class Deadline& deadline);
    int wait_lockstep(std::size_t count, const class Deadline& deadline);
    double written(bool& bursts);
    void show_position(std::int64_t claimed);
    bool path_from(int index, Path& path) const;
    void hear(int index, std::int64_t first, Sample* out, std::size_t count);
    void produce(std::int64_t first, Sample* out, std::size_t count);
    const Interpolator& interpolator(double bandwidth);

    Radio& radio_;
    const Format format_;
    const std::int64_t buffers_;  // samples that the device holds
    std::int64_t held_ = 0;       // the same, no more than RECEIVER_SECONDS
    std::atomic<bool> active_{false};
    double rate_ = 0;             // while active
    std::int64_t next_ = 0;       // sample that is read next
    std::size_t left_ = 0;        // of the current buffer
    double jumped_ = 0;           // s, of the times that it tells
    bool overflowed_ = false;     // and the call that tells of it has been made
    bool idle_ = false;           // lockstep: nobody was in a burst...
    double idle_air_ = 0, idle_wall_ = 0;  // ...from these moments on

    // As they are during one call.
    Settings settings_;
    Tuning tuning_;
    Clock clock_;
    double hardware_offset_ = 0;

    Noise noise_;
    Random faults_;
    PhaseNoise oscillator_;
    std::map<int, std::unique_ptr<Interpolator>> interpolators_;
    std::vector<Sample> scratch_, window_, part_;
};

}  // namespace jscc
