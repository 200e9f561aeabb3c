using System.Globalization;
using System.Text;

namespace Hami.Domain.Protocol;

/// <summary>One card given to one container.</summary>
/// <param name="Uuid">UUID of the physical card.</param>
/// <param name="Vendor">HAMi's vendor word, <c>NVIDIA</c>.</param>
/// <param name="MemoryMiB">Device memory in MiB.</param>
/// <param name="Cores">Percent of the card's compute.</param>
public sealed record ListedDevice(string Uuid, string Vendor, long MemoryMiB, int Cores);

/// <summary>
/// HAMi's pod device list: <c>UUID,vendor,MiB,cores:</c> for each device, <c>;</c> after each container,
/// init containers first; a container without devices is a bare <c>;</c>.
/// </summary>
public static class DeviceList
{
    public static string Encode(IEnumerable<IReadOnlyList<ListedDevice>> containers)
    {
        var text = new StringBuilder();
        foreach (var container in containers)
        {
            foreach (var d in container)
                text.Append(d.Uuid).Append(',').Append(d.Vendor).Append(',').Append(d.MemoryMiB).Append(',').Append(d.Cores).Append(':');
            text.Append(';');
        }
        return text.ToString();
    }

    /// <summary>Reads a device list; the empty element after the last <c>;</c> is dropped.</summary>
    /// <exception cref="FormatException">A device has fewer than four fields, or a number that is none.</exception>
    public static IReadOnlyList<IReadOnlyList<ListedDevice>> Decode(string text)
    {
        var entries = text.Split(';');
        var count = entries[^1].Length == 0 ? entries.Length - 1 : entries.Length;
        return [.. entries.Take(count).Select(Container)];
    }

    private static IReadOnlyList<ListedDevice> Container(string entry) =>
        [.. entry.Split(':').Where(part => part.Contains(',')).Select(Device)];

    private static ListedDevice Device(string part)
    {
        var fields = part.Split(',');
        if (fields.Length < 4)
            throw new FormatException($"\"{part}\" in a device list has {fields.Length} fields; UUID, vendor, MiB and cores are needed.");
        if (!int.TryParse(fields[2], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var memory)
            || !int.TryParse(fields[3], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var cores))
            throw new FormatException($"\"{part}\" in a device list has a memory or core value that is not a 32-bit integer.");
        return new(fields[0], fields[1], memory, cores);
    }
}
