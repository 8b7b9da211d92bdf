// A transmit stream.
#pragma once

#include "noise.hpp"
#include "radio.hpp"
#include "samples.hpp"

#include <deque>

namespace jscc {

class Transmitter {
public:
    Transmitter(Radio& radio, Format format, std::size_t buffers);
    ~Transmitter();

    // These are SoapySDR::Device's, with its return codes.
    int activate(int flags, std::size_t count);
    int deactivate();
    int write(const void* samples, std::size_t count, int flags, long long time_ns, long timeout_us);
    int status(int& flags, long long& time_ns, long timeout_us);

private:
    struct Event {
        int code, flags;
        std::int64_t tick;
        bool wait;  // until the device's clock has come to the tick
    };

    std::int64_t now_tick();
    bool begin_burst(int flags, long long time_ns);
    std::int64_t room(std::int64_t now);
    void silence_until(std::int64_t tick);
    void put(const Sample* samples, std::size_t count);
    void notice_underflow();
    void tell(int code, int flags, std::int64_t tick, bool wait = false);

    Radio& radio_;
    const Format format_;
    const std::int64_t held_;  // most samples that wait in the device
    Transmission& shown_;
    std::atomic<bool> active_{false};
    Sample* ring_ = nullptr;
    std::atomic<double> rate_{0};         // while active
    std::atomic<std::int64_t> begin_{0};  // of the burst
    bool dropping_ = false;    // the rest of a burst that came too late
    std::size_t left_ = 0;     // until the next buffer
    Random faults_;
    PhaseNoise oscillator_;
    std::vector<Sample> scratch_;

    std::mutex events_mutex_;
    std::deque<Event> events_;
};

}  // namespace jscc
