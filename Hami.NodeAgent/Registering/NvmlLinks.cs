using System.Collections.Immutable;
using Hami.NodeAgent.Plumbing.Nvml;

namespace Hami.NodeAgent.Registering;

/// <summary>Asks NVML how the cards are connected.</summary>
internal static class NvmlLinks
{
    /// <exception cref="NvmlException">The driver does not answer; a card that does not is left out.</exception>
    public static ImmutableArray<SeenLinks> Look(NvmlLibrary nvml, IEnumerable<string> uuids)
    {
        var devices = uuids.SelectMany(uuid => Tried<(string Uuid, NvmlDevice Device)?>(() => (uuid, nvml.ByUuid(uuid)), null) is { } found ? [found] : Array.Empty<(string Uuid, NvmlDevice Device)>())
            .ToImmutableArray();
        return [.. devices.Select(d => Card(nvml, d.Uuid, d.Device) with
        {
            Level = devices.Where(o => o.Uuid != d.Uuid)
                .Select(o => (o.Uuid, Level: Tried(() => nvml.CommonAncestor(d.Device, o.Device), -1)))
                .ToImmutableDictionary(o => o.Uuid, o => o.Level, StringComparer.Ordinal),
        })];
    }

    private static SeenLinks Card(NvmlLibrary nvml, string uuid, NvmlDevice device)
    {
        var direct = new Dictionary<string, int>(StringComparer.Ordinal);
        var toSwitch = 0;
        for (var link = 0; link < NvmlLibrary.MostLinks; link++)
        {
            var place = link;
            // A card without this link answers "not supported" or "invalid argument".
            if (!Tried(() => nvml.LinkIsActive(device, place), false))
                continue;
            if (Tried(() => nvml.LinkLeadsToSwitch(device, place), false))
                toSwitch++;
            else if (Tried(() => PciAddress.Of(nvml.LinkRemote(device, place).BusId), null) is { } remote)
                direct[remote] = direct.GetValueOrDefault(remote) + 1;
        }
        return new(uuid, Tried(() => PciAddress.Of(nvml.Pci(device).BusId), null), direct.ToImmutableDictionary(StringComparer.Ordinal), toSwitch);
    }

    private static T Tried<T>(Func<T> ask, T otherwise)
    {
        try
        {
            return ask();
        }
        catch (NvmlException e) when (e.Result is not (NvmlResult.Uninitialized or NvmlResult.DriverNotLoaded))
        {
            return otherwise;
        }
    }
}
