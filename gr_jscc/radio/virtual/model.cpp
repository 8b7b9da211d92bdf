#include "model.hpp"

#include <SoapySDR/Constants.h>

#include <stdexcept>

namespace jscc {

namespace {

std::vector<Model> make_models() {
    Model plain;
    plain.name = "plain";
    plain.hardware = "Virtual radio";
    plain.tx = {{{"TX", -60, 20, 0, 0}}, {"TX/RX"}, 16};
    plain.rx = {{{"RX", -40, 60, 0, 0}}, {"TX/RX"}, 64};
    plain.least_rate = 8e3;
    plain.most_rate = 25e6;
    plain.least_frequency = 0;
    plain.most_frequency = 100e9;
    plain.digital_range = 50e6;
    plain.half_duplex = false;
    plain.timed = true;
    plain.bits = 0;
    plain.mtu = 16384;
    plain.noise_dbfs = -90;

    // Gains, rates and buffers as SoapyHackRF has them.
    Model hackrf;
    hackrf.name = "hackrf";
    hackrf.hardware = "Virtual HackRF";
    hackrf.tx = {{{"VGA", 0, 47, 1, 20}, {"AMP", 0, 14, 14, 0}}, {"TX/RX"}, 15};
    hackrf.rx = {{{"LNA", 0, 40, 8, 16}, {"AMP", 0, 14, 14, 0}, {"VGA", 0, 62, 2, 20}}, {"TX/RX"}, 15};
    for (int rate = 1; rate <= 20; ++rate) hackrf.rates.push_back(rate * 1e6);
    hackrf.least_rate = 1e6;
    hackrf.most_rate = 20e6;
    hackrf.least_frequency = 0;
    hackrf.most_frequency = 7.25e9;
    hackrf.digital_range = 0;
    hackrf.half_duplex = true;
    hackrf.timed = false;
    hackrf.bits = 8;
    hackrf.mtu = 131072;
    hackrf.noise_dbfs = -60;

    // As SoapyUHD shows a USRP B210 on USB 3.
    Model b210;
    b210.name = "b210";
    b210.hardware = "Virtual B210";
    b210.tx = {{{"PGA", 0, 89.75, 0.25, 50}}, {"TX/RX"}, 64};
    b210.rx = {{{"PGA", 0, 76, 1, 30}}, {"RX2", "TX/RX"}, 512};
    b210.least_rate = 200e3;
    b210.most_rate = 56e6;
    b210.least_frequency = 50e6;
    b210.most_frequency = 6e9;
    b210.digital_range = 28e6;
    b210.half_duplex = false;
    b210.timed = true;
    b210.bits = 12;
    b210.mtu = 2040;
    b210.noise_dbfs = -75;

    return {plain, hackrf, b210};
}

}  // namespace

const Side& Model::side(int direction) const { return direction == SOAPY_SDR_TX ? tx : rx; }

SoapySDR::RangeList Model::rate_ranges() const {
    if (rates.empty()) return {SoapySDR::Range(least_rate, most_rate)};
    SoapySDR::RangeList ranges;
    for (const double rate : rates) ranges.emplace_back(rate, rate);
    return ranges;
}

const Model& model_named(const std::string& name) {
    static const std::vector<Model> models = make_models();
    std::string known;
    for (const Model& model : models) {
        if (model.name == name) return model;
        known += (known.empty() ? "" : ", ") + model.name;
    }
    throw std::runtime_error("the virtual radio has no model " + name + "; it has " + known);
}

}  // namespace jscc
