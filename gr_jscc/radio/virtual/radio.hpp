// What a device's two streams share.
#pragma once

#include "air.hpp"
#include "model.hpp"
#include "settings.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace jscc {

// How one direction is set.
struct Tuning {
    double rate = 1e6;
    double oscillator = 2.45e9;  // Hz, of the local oscillator
    double digital = 0;          // Hz from there to the middle of the band
    double level_db = 0;         // of the gains over the reference gains
    double bandwidth = 0;
    std::map<std::string, double> gains;
    std::string antenna;

    double away() const { return -digital / rate; }  // the local oscillator, cycles per sample
};

struct Radio {
    // Throws std::runtime_error, see Air and Settings.
    explicit Radio(const Settings& wanted);

    // Whether the device was unplugged; from then on for good, a new one has to be opened.
    bool gone();
    // Whether a device cannot be opened, as it was unplugged from this process and is not back yet.
    static bool away(const Settings& wanted);

    const Model& model;
    Air air;

    std::mutex mutex;  // guards what follows
    Settings settings;
    Clock clock;
    Tuning tx, rx;
    double hardware_offset = 0;  // s, of the hardware time that the API shows

    // Says to the other devices how the transmitter is tuned. The mutex must be held.
    void publish();

private:
    const std::pair<std::string, std::string> place_;  // air and id, as they were asked for
    double opened_;
    std::atomic<bool> gone_{false};
};

// Changes fields of a Transmission so that readers never see half of it.
template <typename Change>
void change(Transmission& tx, Change fields) {
    tx.version.fetch_add(1);
    fields();
    tx.version.fetch_add(1);
}

// The fields of a Transmission, all of one moment.
struct View {
    std::uint32_t ring = 0;
    std::uint64_t capacity = 0;
    double rate = 0, frequency = 0;
    Clock clock;
    std::int64_t end = 0;
    View() = default;
    explicit View(const Transmission& tx);
};

}  // namespace jscc
