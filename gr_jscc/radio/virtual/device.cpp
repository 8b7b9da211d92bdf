#include "device.hpp"

#include "pacing.hpp"

#include <SoapySDR/Errors.h>
#include <SoapySDR/Formats.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace jscc {

namespace {

std::string whose(const Radio& radio) { return "virtual radio " + radio.settings.id + ": "; }

double level(const Side& side, const std::map<std::string, double>& gains) {
    double total = 0;
    for (const Stage& stage : side.stages) total += gains.at(stage.name) - stage.reference;
    return total;
}

Tuning initial(const Side& side) {
    Tuning tuning;
    for (const Stage& stage : side.stages) tuning.gains[stage.name] = stage.reference;
    tuning.antenna = side.antennas.front();
    return tuning;
}

}  // namespace

VirtualRadio::VirtualRadio(const Settings& settings) : radio_(settings) {
    radio_.tx = initial(radio_.model.tx);
    radio_.rx = initial(radio_.model.rx);
    radio_.tx.rate = radio_.rx.rate = std::max(1e6, radio_.model.least_rate);
}

SoapySDR::Kwargs VirtualRadio::getHardwareInfo() const {
    return {{"serial", SERIAL + radio_.settings.id},
            {"air", radio_.settings.air},
            {"id", radio_.settings.id},
            {"model", radio_.model.name},
            {"pace", radio_.air.lockstep() ? "lockstep" : "real"}};
}

// --------------------------------------------------------------------------------------------------------- streams

std::vector<std::string> VirtualRadio::getStreamFormats(int, size_t) const {
    return {SOAPY_SDR_CF32, SOAPY_SDR_CS16, SOAPY_SDR_CS8};
}

std::string VirtualRadio::getNativeStreamFormat(int, size_t, double& full_scale) const {
    const int bits = radio_.model.bits;
    full_scale = bits == 0 ? 1 : bits <= 8 ? 128 : 32768;
    return bits == 0 ? SOAPY_SDR_CF32 : bits <= 8 ? SOAPY_SDR_CS8 : SOAPY_SDR_CS16;
}

SoapySDR::ArgInfoList VirtualRadio::getStreamArgsInfo(int direction, size_t) const {
    SoapySDR::ArgInfo buffers;
    buffers.key = "buffers";
    buffers.name = "Buffer count";
    buffers.value = std::to_string(radio_.model.side(direction).buffers);
    buffers.description = "Buffers of one MTU that the driver holds.";
    buffers.units = "buffers";
    buffers.type = SoapySDR::ArgInfo::INT;
    buffers.range = SoapySDR::Range(2, 4096);
    return {buffers};
}

SoapySDR::Stream* VirtualRadio::setupStream(int direction, const std::string& format,
                                            const std::vector<size_t>& channels, const SoapySDR::Kwargs& arguments) {
    if (channels.size() > 1 || (channels.size() == 1 && channels[0] != 0))
        throw std::runtime_error(whose(radio_) + "it has one channel, number 0");
    std::size_t buffers = radio_.model.side(direction).buffers;
    if (arguments.count("buffers")) {
        const std::string& text = arguments.at("buffers");
        const bool digits = !text.empty() && text.size() < 6 && text.find_first_not_of("0123456789") == std::string::npos;
        buffers = digits ? std::stoul(text) : 0;
        if (buffers < 2 || buffers > 4096)
            throw std::runtime_error(whose(radio_) + "buffers must be a number from 2 to 4096, not '" + text + "'");
    }
    const Format named = format_named(format);
    if (direction == SOAPY_SDR_TX) {
        if (transmitter_) throw std::runtime_error(whose(radio_) + "the transmit stream is already open");
        transmitter_ = std::make_unique<Transmitter>(radio_, named, buffers);
        return reinterpret_cast<SoapySDR::Stream*>(transmitter_.get());
    }
    if (receiver_) throw std::runtime_error(whose(radio_) + "the receive stream is already open");
    receiver_ = std::make_unique<Receiver>(radio_, named, buffers);
    return reinterpret_cast<SoapySDR::Stream*>(receiver_.get());
}

void VirtualRadio::closeStream(SoapySDR::Stream* stream) {
    if (reinterpret_cast<SoapySDR::Stream*>(transmitter_.get()) == stream) transmitter_.reset();
    if (reinterpret_cast<SoapySDR::Stream*>(receiver_.get()) == stream) receiver_.reset();
}

int VirtualRadio::activateStream(SoapySDR::Stream* stream, int flags, long long time_ns, size_t count) {
    const bool sends = reinterpret_cast<SoapySDR::Stream*>(transmitter_.get()) == stream;
    // As with a HackRF, the direction that starts stops the other.
    if (radio_.model.half_duplex && sends && receiver_) receiver_->deactivate();
    if (radio_.model.half_duplex && !sends && transmitter_) transmitter_->deactivate();
    return sends ? transmitter_->activate(flags, count) : receiver_->activate(flags, time_ns, count);
}

int VirtualRadio::deactivateStream(SoapySDR::Stream* stream, int flags, long long) {
    if (flags) return SOAPY_SDR_NOT_SUPPORTED;
    const bool sends = reinterpret_cast<SoapySDR::Stream*>(transmitter_.get()) == stream;
    return sends ? transmitter_->deactivate() : receiver_->deactivate();
}

int VirtualRadio::readStream(SoapySDR::Stream* stream, void* const* buffers, size_t count, int& flags,
                             long long& time_ns, long timeout_us) {
    if (reinterpret_cast<SoapySDR::Stream*>(receiver_.get()) != stream) return SOAPY_SDR_NOT_SUPPORTED;
    return receiver_->read(buffers[0], count, flags, time_ns, timeout_us);
}

int VirtualRadio::writeStream(SoapySDR::Stream* stream, const void* const* buffers, size_t count, int& flags,
                              long long time_ns, long timeout_us) {
    if (reinterpret_cast<SoapySDR::Stream*>(transmitter_.get()) != stream) return SOAPY_SDR_NOT_SUPPORTED;
    return transmitter_->write(buffers[0], count, flags, time_ns, timeout_us);
}

int VirtualRadio::readStreamStatus(SoapySDR::Stream* stream, size_t& channels, int& flags, long long& time_ns,
                                   long timeout_us) {
    if (reinterpret_cast<SoapySDR::Stream*>(transmitter_.get()) != stream) return SOAPY_SDR_NOT_SUPPORTED;
    channels = 1;
    return transmitter_->status(flags, time_ns, timeout_us);
}

// ---------------------------------------------------------------------------------------------------------- tuning

std::vector<std::string> VirtualRadio::listAntennas(int direction, size_t) const {
    return radio_.model.side(direction).antennas;
}

void VirtualRadio::setAntenna(int direction, size_t, const std::string& name) {
    const auto& known = radio_.model.side(direction).antennas;
    if (std::find(known.begin(), known.end(), name) == known.end())
        throw std::runtime_error(whose(radio_) + "no antenna " + name);
    std::lock_guard<std::mutex> lock(radio_.mutex);
    tuning(direction).antenna = name;
}

std::string VirtualRadio::getAntenna(int direction, size_t) const {
    std::lock_guard<std::mutex> lock(radio_.mutex);
    return tuning(direction).antenna;
}

const Stage& VirtualRadio::stage(int direction, const std::string& name) const {
    for (const Stage& known : radio_.model.side(direction).stages)
        if (known.name == name) return known;
    throw std::runtime_error(whose(radio_) + "no gain stage " + name);
}

std::vector<std::string> VirtualRadio::listGains(int direction, size_t) const {
    std::vector<std::string> names;
    for (const Stage& known : radio_.model.side(direction).stages) names.push_back(known.name);
    return names;
}

void VirtualRadio::setGain(int direction, size_t, const std::string& name, double value) {
    const Stage& known = stage(direction, name);
    value = std::min(std::max(value, known.least), known.most);
    if (known.step > 0) value = known.least + std::round((value - known.least) / known.step) * known.step;
    std::lock_guard<std::mutex> lock(radio_.mutex);
    Tuning& set = tuning(direction);
    set.gains[name] = value;
    set.level_db = level(radio_.model.side(direction), set.gains);
}

double VirtualRadio::getGain(int direction, size_t, const std::string& name) const {
    stage(direction, name);
    std::lock_guard<std::mutex> lock(radio_.mutex);
    return tuning(direction).gains.at(name);
}

SoapySDR::Range VirtualRadio::getGainRange(int direction, size_t, const std::string& name) const {
    const Stage& known = stage(direction, name);
    return {known.least, known.most, known.step};
}

std::vector<std::string> VirtualRadio::listFrequencies(int, size_t) const {
    if (radio_.model.digital_range > 0) return {"RF", "BB"};
    return {"RF"};
}

void VirtualRadio::setFrequency(int direction, size_t channel, const std::string& name, double value,
                                const SoapySDR::Kwargs&) {
    const SoapySDR::Range range = getFrequencyRange(direction, channel, name).front();
    value = std::min(std::max(value, range.minimum()), range.maximum());
    std::lock_guard<std::mutex> lock(radio_.mutex);
    Tuning& set = tuning(direction);
    (name == "RF" ? set.oscillator : set.digital) = value;
    if (direction == SOAPY_SDR_TX) radio_.publish();
}

double VirtualRadio::getFrequency(int direction, size_t channel, const std::string& name) const {
    getFrequencyRange(direction, channel, name);
    std::lock_guard<std::mutex> lock(radio_.mutex);
    return name == "RF" ? tuning(direction).oscillator : tuning(direction).digital;
}

SoapySDR::RangeList VirtualRadio::getFrequencyRange(int, size_t, const std::string& name) const {
    const Model& model = radio_.model;
    if (name == "RF") return {SoapySDR::Range(model.least_frequency, model.most_frequency)};
    if (name == "BB" && model.digital_range > 0) return {SoapySDR::Range(-model.digital_range, model.digital_range)};
    throw std::runtime_error(whose(radio_) + "no frequency " + name);
}

void VirtualRadio::setSampleRate(int direction, size_t, double rate) {
    const SoapySDR::RangeList ranges = radio_.model.rate_ranges();
    if (std::none_of(ranges.begin(), ranges.end(),
                     [&](const SoapySDR::Range& range) { return rate >= range.minimum() && rate <= range.maximum(); }))
        throw std::runtime_error(whose(radio_) + "no sample rate of " + std::to_string(rate / 1e6) + " Msps");
    std::lock_guard<std::mutex> lock(radio_.mutex);
    tuning(direction).rate = rate * (1 + radio_.settings.rate_ppm * 1e-6);  // of a running stream it changes at the next activation
}

double VirtualRadio::getSampleRate(int direction, size_t) const {
    std::lock_guard<std::mutex> lock(radio_.mutex);
    return tuning(direction).rate;
}

std::vector<double> VirtualRadio::listSampleRates(int, size_t) const {
    const Model& model = radio_.model;
    return model.rates.empty() ? std::vector<double>{model.least_rate, model.most_rate} : model.rates;
}

void VirtualRadio::setBandwidth(int direction, size_t, double bandwidth) {
    std::lock_guard<std::mutex> lock(radio_.mutex);
    tuning(direction).bandwidth = bandwidth;
}

double VirtualRadio::getBandwidth(int direction, size_t) const {
    std::lock_guard<std::mutex> lock(radio_.mutex);
    return tuning(direction).bandwidth;
}

// ----------------------------------------------------------------------------------------------- clock and settings

void VirtualRadio::setClockSource(const std::string& source) {
    if (source != "internal") throw std::runtime_error(whose(radio_) + "no clock source " + source);
}

long long VirtualRadio::getHardwareTime(const std::string&) const {
    std::lock_guard<std::mutex> lock(radio_.mutex);
    return std::llround((radio_.clock.ticks(radio_.air.now(), 1) + radio_.hardware_offset) * 1e9L);
}

void VirtualRadio::setHardwareTime(long long time_ns, const std::string&) {
    std::lock_guard<std::mutex> lock(radio_.mutex);
    const long double clock = radio_.clock.ticks(radio_.air.now(), 1);
    radio_.hardware_offset = static_cast<double>(static_cast<long double>(time_ns) * 1e-9L - clock);
}

SoapySDR::ArgInfoList VirtualRadio::getSettingInfo() const {
    std::lock_guard<std::mutex> lock(radio_.mutex);
    return radio_.settings.changeable();
}

void VirtualRadio::writeSetting(const std::string& key, const std::string& value) {
    std::lock_guard<std::mutex> lock(radio_.mutex);
    radio_.settings.change(key, value);
    if (radio_.settings.ppm != radio_.clock.ppm) {
        radio_.clock.retune(radio_.settings.ppm, radio_.air.now());
        radio_.publish();
    }
}

std::string VirtualRadio::readSetting(const std::string& key) const {
    std::lock_guard<std::mutex> lock(radio_.mutex);
    return radio_.settings.read(key);
}

}  // namespace jscc
