#include "radio.hpp"

#include <limits>

namespace jscc {

namespace {

// Devices that were unplugged, by air and id: when they are back (CLOCK_MONOTONIC). A device is plugged out once.
struct Unplugged {
    std::mutex mutex;
    std::map<std::pair<std::string, std::string>, double> back;
} unplugged;

}  // namespace

Radio::Radio(const Settings& wanted)
    : model(model_named(wanted.model)), air(wanted.air, wanted.id, wanted.model, wanted.pace, wanted.loop), settings(wanted) {
    settings.id = air.id();
    opened_ = air.now();
    clock = {opened_, opened_, settings.ppm};
    std::lock_guard<std::mutex> lock(unplugged.mutex);
    if (unplugged.back.count({settings.air, settings.id})) settings.unplug = std::numeric_limits<double>::infinity();
}

Radio::~Radio() = default;

bool Radio::gone() {
    if (gone_ || air.now() - opened_ < settings.unplug) return gone_;
    std::lock_guard<std::mutex> lock(unplugged.mutex);
    if (!gone_.exchange(true)) {
        air.own().tx.in_burst = 0;
        air.own().rx.active = 0;
        air.ring_bell();
        unplugged.back[{settings.air, settings.id}] = monotonic() + settings.unplug_for;
    }
    return true;
}

bool Radio::away(const std::string& air, const std::string& id) {
    std::lock_guard<std::mutex> lock(unplugged.mutex);
    const auto found = unplugged.back.find({air, id});
    return found != unplugged.back.end() && monotonic() < found->second;
}

void Radio::publish() {
    Transmission& other = air.own().tx;
    change(other, [&] {
        other.frequency = (tx.oscillator + tx.digital) * clock.speed();
        other.clock = clock;
    });
}

View::View(const Transmission& tx) {
    for (int tries = 0; tries < 1000; ++tries) {
        const std::uint32_t before = tx.version.load();
        if (before % 2 == 0) {
            ring = tx.ring;
            capacity = tx.capacity;
            rate = tx.rate;
            frequency = tx.frequency;
            clock = tx.clock;
            end = tx.end.load(std::memory_order_acquire);
            if (tx.version.load() == before) return;
        }
    }
    ring = 0;  // its process died in the midst of a change
}

}  // namespace jscc
