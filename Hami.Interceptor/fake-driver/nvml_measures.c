/* Chapter "Device Queries" of NVML: what a card is doing. What the list does not say comes from the kernels. */
#define _GNU_SOURCE
#include "nvml.h"

#include <time.h>

#include "card_time.h"

enum { IDLE_MW = 50000, BUSY_MW = 250000, IDLE_CELSIUS = 30, BUSY_CELSIUS = 40, MEMORY_IS_WARMER_BY = 5 };

static unsigned int percent_busy(const struct card *card)
{
    struct busy busy[BUSY_MAX];
    uint64_t end_ns;
    unsigned int sum = 0, found = card_busy(card, busy, BUSY_MAX, &end_ns);
    if (card->busy >= 0)
        return (unsigned int)card->busy;
    for (unsigned int i = 0; i < found && i < BUSY_MAX; i++)
        sum += busy[i].percent;
    return sum < 100 ? sum : 100;
}

static unsigned int power_mw(const struct card *card)
{
    return card->power_mw >= 0 ? (unsigned int)card->power_mw : IDLE_MW + BUSY_MW / 100 * percent_busy(card);
}

static unsigned int celsius_of(const struct card *card)
{
    return card->temperature >= 0 ? (unsigned int)card->temperature
                                  : IDLE_CELSIUS + BUSY_CELSIUS * percent_busy(card) / 100;
}

static unsigned int memory_celsius_of(const struct card *card)
{
    return card->memory_temperature >= 0 ? (unsigned int)card->memory_temperature : celsius_of(card) + MEMORY_IS_WARMER_BY;
}

static bool in_mig_mode(nvmlDevice_t device)
{
    struct mig mig;
    mig_look(&mig);
    return mig.is_on[device->card.number];
}

/* Not told of a card in MIG mode (NVML API reference). */
EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization)
{
    ENTER_CARD(device && utilization);
    if (in_mig_mode(device))
        return NVML_ERROR_NOT_SUPPORTED;
    *utilization = (nvmlUtilization_t){percent_busy(&device->card), 0};
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned int sensor, unsigned int *celsius)
{
    ENTER_CARD(device && celsius && sensor == NVML_TEMPERATURE_GPU);
    *celsius = celsius_of(&device->card);
    return NVML_SUCCESS;
}

/* The answer says whether it was asked; each value says for itself whether there is one. */
EXPORT nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *values)
{
    ENTER_CARD(device && values && count > 0);
    for (int i = 0; i < count; i++) {
        values[i].nvmlReturn = values[i].fieldId == NVML_FI_DEV_MEMORY_TEMP ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
        if (values[i].nvmlReturn != NVML_SUCCESS)
            continue;
        values[i].valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
        values[i].value.uiVal = memory_celsius_of(&device->card);
    }
    return NVML_SUCCESS;
}

/* Most cards of servers have no fan of their own. */
EXPORT nvmlReturn_t nvmlDeviceGetFanSpeed(nvmlDevice_t device, unsigned int *percent)
{
    ENTER_CARD(device && percent);
    if (device->card.fan < 0)
        return NVML_ERROR_NOT_SUPPORTED;
    *percent = (unsigned int)device->card.fan;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *mw)
{
    ENTER_CARD(device && mw);
    *mw = power_mw(&device->card);
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *mj)
{
    ENTER_CARD(device && mj);
    *mj = device->card.energy_mj >= 0 ? (unsigned long long)device->card.energy_mj
                                      : card_now_ns() / 1000000 * power_mw(&device->card) / 1000;
    return NVML_SUCCESS;
}

/* The latest whole sample, when it is younger than what was seen. */
EXPORT nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t *samples,
                                                    unsigned int *count, unsigned long long since_us)
{
    ENTER_CARD(device && count && (*count == 0 || samples));
    if (in_mig_mode(device))
        return NVML_ERROR_NOT_SUPPORTED;
    struct busy busy[BUSY_MAX];
    struct timespec now;
    uint64_t end_ns;
    unsigned int found = card_busy(&device->card, busy, BUSY_MAX, &end_ns), room = *count;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t real_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    uint64_t end_us = real_us - (card_now_ns() - end_ns) / 1000;
    if (found == 0 || end_us <= since_us + 1000) /* the two clocks are not read at once */
        return NVML_ERROR_NOT_FOUND;
    *count = found;
    if (found > room)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    for (unsigned int i = 0; i < found; i++)
        samples[i] = (nvmlProcessUtilizationSample_t){busy[i].pid, end_us, busy[i].percent, 0, 0, 0};
    return NVML_SUCCESS;
}
