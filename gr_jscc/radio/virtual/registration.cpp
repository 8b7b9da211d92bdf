// Tells SoapySDR of the driver.
#include "device.hpp"

#include <SoapySDR/Logger.hpp>
#include <SoapySDR/Registry.hpp>

#include <stdexcept>

namespace {

using namespace jscc;

SoapySDR::Kwargs description(const std::string& air, const std::string& id, const std::string& model) {
    SoapySDR::Kwargs found{{"air", air}, {"model", model}};
    found["label"] = model_named(model).hardware + (id.empty() ? "" : " " + id) + " in the air " + air;
    if (!id.empty()) {
        found["id"] = id;
        found["serial"] = SERIAL + id;
    }
    return found;
}

// First the device that the arguments describe, which is made when it is opened; then those that others have open.
SoapySDR::KwargsList find(const SoapySDR::Kwargs& arguments) {
    SoapySDR::KwargsList found;
    Settings wanted;
    try {
        wanted = Settings::from(arguments);
    } catch (const std::runtime_error&) {
        return {arguments};  // make() says what is wrong with them
    }
    if (Radio::away(wanted)) return found;
    found.push_back(description(wanted.air, wanted.id, wanted.model));
    for (const auto& [id, model] : Air::living(wanted.air))
        if (wanted.id.empty() && (model == wanted.model || !arguments.count("model")))
            found.push_back(description(wanted.air, id, model));
    return found;
}

SoapySDR::Device* make(const SoapySDR::Kwargs& arguments) {
    const Settings settings = Settings::from(arguments);
    if (Radio::away(settings)) throw std::runtime_error("no virtual radio in the air " + settings.air + ": it was unplugged");
    return new VirtualRadio(settings);
}

const SoapySDR::Registry REGISTRY("jscc", &find, &make, SOAPY_SDR_ABI_VERSION);

}  // namespace
