#include "settings.hpp"

#include "model.hpp"

#include <cmath>
#include <sstream>
#include <stdexcept>

namespace jscc {

namespace {

struct Number {
    const char* key;
    double Settings::*value;
    double least, most;
    bool changeable;
    const char* units;
    const char* description;
};

constexpr double ANY = std::numeric_limits<double>::infinity();

const Number NUMBERS[] = {
    {"loss_db", &Settings::loss_db, -100, 300, true, "dB", "loss of the path to this receiver"},
    {"noise_dbfs", &Settings::noise_dbfs, -300, 40, true, "dBFS", "receiver noise at the model's reference gains"},
    {"delay", &Settings::delay, 0, 100e3, true, "samples", "delay of the path to this receiver, in its samples"},
    {"ppm", &Settings::ppm, -1000, 1000, true, "ppm", "by which the device's clock is too fast: sample rate and carriers"},
    {"tx_dc_i", &Settings::tx_dc_i, -1, 1, true, "", "DC offset of the transmitter, full scale 1"},
    {"tx_dc_q", &Settings::tx_dc_q, -1, 1, true, "", "DC offset of the transmitter, full scale 1"},
    {"tx_iq_gain_db", &Settings::tx_iq_gain_db, -20, 20, true, "dB", "gain of the transmitter's Q against its I"},
    {"tx_iq_phase_deg", &Settings::tx_iq_phase_deg, -45, 45, true, "degrees", "by which the transmitter's Q is not at 90"},
    {"rx_dc_i", &Settings::rx_dc_i, -1, 1, true, "", "DC offset of the receiver, full scale 1"},
    {"rx_dc_q", &Settings::rx_dc_q, -1, 1, true, "", "DC offset of the receiver, full scale 1"},
    {"rx_iq_gain_db", &Settings::rx_iq_gain_db, -20, 20, true, "dB", "gain of the receiver's Q against its I"},
    {"rx_iq_phase_deg", &Settings::rx_iq_phase_deg, -45, 45, true, "degrees", "by which the receiver's Q is not at 90"},
    {"tx_phase_noise_deg", &Settings::tx_phase_noise_deg, 0, 90, true, "degrees", "of the transmitter's oscillator, rms"},
    {"rx_phase_noise_deg", &Settings::rx_phase_noise_deg, 0, 90, true, "degrees", "of the receiver's oscillator, rms"},
    {"compression_dbfs", &Settings::compression_dbfs, -100, ANY, true, "dBFS",
     "power before the power amplifier at which its output is 1 dB less than linear"},
    {"bits", &Settings::bits, 0, 16, true, "", "of both converters; 0: perfect"},
    {"overflow", &Settings::overflow, 0, 1, true, "", "probability that a received buffer is lost"},
    {"underflow", &Settings::underflow, 0, 1, true, "", "probability that a buffer of silence comes before one sent"},
    {"partial", &Settings::partial, 0, 1, true, "", "probability that a call moves only part of what it could"},
    {"jumps", &Settings::jumps, 0, 1, true, "", "probability that times jump at a received buffer, by up to a second"},
    {"rate_ppm", &Settings::rate_ppm, -1e5, 1e5, false, "ppm", "by which the device sets another sample rate than asked for"},
    {"unplug", &Settings::unplug, 0, ANY, false, "s", "after which the device goes away"},
    {"unplug_for", &Settings::unplug_for, 0, ANY, false, "s", "after which it is back"},
    {"seed", &Settings::seed, 0, 9e15, false, "", "of noise and of random faults"},
};

double number(const std::string& key, const std::string& text) {
    std::size_t used = 0;
    double value = 0;
    try {
        value = std::stod(text, &used);
    } catch (const std::exception&) {
        used = 0;
    }
    if (used == 0 || used != text.size() || std::isnan(value))
        throw std::runtime_error("virtual radio: " + key + " must be a number, not '" + text + "'");
    return value;
}

void set(Settings& settings, const Number& known, const std::string& text) {
    const double value = number(known.key, text);
    std::ostringstream range;
    range << known.least << " to " << known.most;
    if (value < known.least || value > known.most)
        throw std::runtime_error("virtual radio: " + std::string(known.key) + " must lie in " + range.str() + ", not " + text);
    if (known.value == &Settings::bits && value != std::floor(value))
        throw std::runtime_error("virtual radio: bits must be a whole number, not " + text);
    settings.*known.value = value;
}

const Number* find(const std::string& key) {
    for (const Number& known : NUMBERS)
        if (key == known.key) return &known;
    return nullptr;
}

bool plain_name(const std::string& name) {
    return name.size() < 40 && name.find_first_not_of(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == std::string::npos;
}

std::string unknown(const std::string& key) {
    std::string known = "air, id, model, pace, loop";
    for (const Number& entry : NUMBERS) known += std::string(", ") + entry.key;
    return "the virtual radio has no argument '" + key + "'; it has " + known;
}

}  // namespace

Settings Settings::from(const SoapySDR::Kwargs& arguments) {
    Settings settings;
    if (arguments.count("model")) settings.model = arguments.at("model");
    const Model& model = model_named(settings.model);
    settings.noise_dbfs = model.noise_dbfs;
    settings.bits = model.bits;
    for (const auto& [key, value] : arguments) {
        if (key == "model" || key == "driver" || key == "label" || key == "product") continue;
        if (key == "air" || key == "id" || key == "serial") {
            const bool serial = key == "serial";
            if (serial && value.compare(0, SERIAL.size(), SERIAL) != 0)
                throw std::runtime_error("no virtual radio has the serial number " + value);
            const std::string name = serial ? value.substr(SERIAL.size()) : value;
            if (!plain_name(name) || (name.empty() && key == "air"))
                throw std::runtime_error("virtual radio: " + key + " must be letters, digits, - and _, not '" + value + "'");
            (key == "air" ? settings.air : settings.id) = name;
        } else if (key == "pace") {
            if (value != "real" && value != "lockstep")
                throw std::runtime_error("virtual radio: pace must be real or lockstep, not '" + value + "'");
            settings.pace = value == "real" ? Pace::real : Pace::lockstep;
        } else if (key == "loop") {
            if (value != "0" && value != "1")
                throw std::runtime_error("virtual radio: loop must be 0 or 1, not '" + value + "'");
            settings.loop = value == "1";
        } else if (const Number* known = find(key)) {
            set(settings, *known, value);
        } else {
            throw std::runtime_error(unknown(key));
        }
    }
    return settings;
}

void Settings::change(const std::string& key, const std::string& value) {
    const Number* known = find(key);
    if (!known) throw std::runtime_error(unknown(key));
    if (!known->changeable) {
        if (read(key) == value || number(key, value) == this->*known->value) return;
        throw std::runtime_error("virtual radio: " + key + " cannot change while the device is open");
    }
    set(*this, *known, value);
}

std::string Settings::read(const std::string& key) const {
    if (key == "air") return air;
    if (key == "id") return id;
    if (key == "model") return model;
    if (key == "loop") return loop ? "1" : "0";
    const Number* known = find(key);
    if (!known) throw std::runtime_error(unknown(key));
    std::ostringstream text;
    text.precision(17);
    text << this->*known->value;
    return text.str();
}

SoapySDR::ArgInfoList Settings::changeable() const {
    SoapySDR::ArgInfoList list;
    for (const Number& known : NUMBERS) {
        if (!known.changeable) continue;
        SoapySDR::ArgInfo info;
        info.key = info.name = known.key;
        info.value = read(known.key);
        info.description = known.description;
        info.units = known.units;
        info.type = known.value == &Settings::bits ? SoapySDR::ArgInfo::INT : SoapySDR::ArgInfo::FLOAT;
        if (!std::isinf(known.most)) info.range = SoapySDR::Range(known.least, known.most);
        list.push_back(info);
    }
    return list;
}

}  // namespace jscc
