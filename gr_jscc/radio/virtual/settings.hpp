// What a device's arguments say: where it is and which faults it has.
#pragma once

#include "air.hpp"

#include <SoapySDR/Types.hpp>

#include <limits>
#include <string>

namespace jscc {

// docs/guide/virtual-radio.md explains every one; the names there are those of the arguments.
struct Settings {
    std::string air = "jscc", id, model = "plain";
    Pace pace = Pace::none;
    bool loop = false;

    double loss_db = 0, noise_dbfs = 0, delay = 0;  // noise: the model's
    double ppm = 0;
    double tx_dc_i = 0, tx_dc_q = 0, tx_iq_gain_db = 0, tx_iq_phase_deg = 0;
    double rx_dc_i = 0, rx_dc_q = 0, rx_iq_gain_db = 0, rx_iq_phase_deg = 0;
    double tx_phase_noise_deg = 0, rx_phase_noise_deg = 0;
    double compression_dbfs = std::numeric_limits<double>::infinity();
    double bits = 0;  // the model's
    double overflow = 0, underflow = 0, partial = 0, jumps = 0;
    double rate_ppm = 0;
    double unplug = std::numeric_limits<double>::infinity(), unplug_for = std::numeric_limits<double>::infinity();
    double seed = 0;

    // Throws std::runtime_error: an unknown argument, or a value that makes no sense.
    static Settings from(const SoapySDR::Kwargs& arguments);
    // One that may change while the device runs. Throws std::runtime_error.
    void change(const std::string& key, const std::string& value);
    std::string read(const std::string& key) const;
    // Those that may change.
    SoapySDR::ArgInfoList changeable() const;
};

// How serial numbers of virtual radios begin; the id follows.
inline const std::string SERIAL = "virtual-";

}  // namespace jscc
