// The virtual radio as SoapySDR sees it.
#pragma once

#include "radio.hpp"
#include "receiver.hpp"
#include "transmitter.hpp"

#include <SoapySDR/Device.hpp>

#include <memory>

namespace jscc {

// One channel in each direction. Its faults are device arguments and, where they may change, settings.
class VirtualRadio : public SoapySDR::Device {
public:
    explicit VirtualRadio(const Settings& settings);

    std::string getDriverKey() const override { return "jscc"; }
    std::string getHardwareKey() const override { return radio_.model.name; }
    SoapySDR::Kwargs getHardwareInfo() const override;
    size_t getNumChannels(int) const override { return 1; }
    bool getFullDuplex(int, size_t) const override { return !radio_.model.half_duplex; }

    std::vector<std::string> getStreamFormats(int, size_t) const override;
    std::string getNativeStreamFormat(int, size_t, double& full_scale) const override;
    SoapySDR::ArgInfoList getStreamArgsInfo(int direction, size_t) const override;
    SoapySDR::Stream* setupStream(int direction, const std::string& format, const std::vector<size_t>& channels,
                                  const SoapySDR::Kwargs& arguments) override;
    void closeStream(SoapySDR::Stream* stream) override;
    size_t getStreamMTU(SoapySDR::Stream*) const override { return radio_.model.mtu; }
    int activateStream(SoapySDR::Stream* stream, int flags, long long time_ns, size_t count) override;
    int deactivateStream(SoapySDR::Stream* stream, int flags, long long time_ns) override;
    int readStream(SoapySDR::Stream* stream, void* const* buffers, size_t count, int& flags, long long& time_ns,
                   long timeout_us) override;
    int writeStream(SoapySDR::Stream* stream, const void* const* buffers, size_t count, int& flags, long long time_ns,
                    long timeout_us) override;
    int readStreamStatus(SoapySDR::Stream* stream, size_t& channels, int& flags, long long& time_ns,
                         long timeout_us) override;

    std::vector<std::string> listAntennas(int direction, size_t) const override;
    void setAntenna(int direction, size_t, const std::string& name) override;
    std::string getAntenna(int direction, size_t) const override;

    std::vector<std::string> listGains(int direction, size_t) const override;
    void setGain(int direction, size_t, const std::string& name, double value) override;
    double getGain(int direction, size_t, const std::string& name) const override;
    SoapySDR::Range getGainRange(int direction, size_t, const std::string& name) const override;
    using SoapySDR::Device::getGain;
    using SoapySDR::Device::getGainRange;
    using SoapySDR::Device::setGain;

    std::vector<std::string> listFrequencies(int, size_t) const override;
    void setFrequency(int direction, size_t, const std::string& name, double value, const SoapySDR::Kwargs&) override;
    double getFrequency(int direction, size_t, const std::string& name) const override;
    SoapySDR::RangeList getFrequencyRange(int, size_t, const std::string& name) const override;
    using SoapySDR::Device::getFrequency;
    using SoapySDR::Device::getFrequencyRange;
    using SoapySDR::Device::setFrequency;

    void setSampleRate(int direction, size_t, double rate) override;
    double getSampleRate(int direction, size_t) const override;
    std::vector<double> listSampleRates(int, size_t) const override;
    SoapySDR::RangeList getSampleRateRange(int, size_t) const override { return radio_.model.rate_ranges(); }
    void setBandwidth(int direction, size_t, double bandwidth) override;
    double getBandwidth(int direction, size_t) const override;

    std::vector<std::string> listClockSources() const override { return {"internal"}; }
    void setClockSource(const std::string& source) override;
    std::string getClockSource() const override { return "internal"; }
    bool hasHardwareTime(const std::string& what) const override { return radio_.model.timed && what.empty(); }
    long long getHardwareTime(const std::string& what) const override;
    void setHardwareTime(long long time_ns, const std::string& what) override;

    SoapySDR::ArgInfoList getSettingInfo() const override;
    void writeSetting(const std::string& key, const std::string& value) override;
    std::string readSetting(const std::string& key) const override;

private:
    Tuning& tuning(int direction) const { return direction == SOAPY_SDR_TX ? radio_.tx : radio_.rx; }
    const Stage& stage(int direction, const std::string& name) const;

    mutable Radio radio_;
    std::unique_ptr<Transmitter> transmitter_;
    std::unique_ptr<Receiver> receiver_;
};

}  // namespace jscc
