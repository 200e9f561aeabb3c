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

    /// <summary>
    /// One entry for each container, in the containers' order. HAMi v2.10 often leaves empty entries out; such a compacted list is
    /// dealt to the containers that ask for devices, in order.
    /// </summary>
    /// <param name="asks">For each container, init containers first: does it ask for devices?</param>
    /// <returns>Null when the list fits neither way.</returns>
    public static IReadOnlyList<IReadOnlyList<ListedDevice>>? Align(
        IReadOnlyList<IReadOnlyList<ListedDevice>> entries, IReadOnlyList<bool> asks)
    {
        // HAMi's plugin adds one empty entry at the end each time it rewrites a list.
        var length = entries.Count;
        while (length > asks.Count && entries[length - 1].Count == 0)
            length--;
        if (length == asks.Count)
            return [.. entries.Take(length)];

        var filled = new Queue<IReadOnlyList<ListedDevice>>(entries.Where(e => e.Count > 0));
        if (filled.Count != asks.Count(a => a))
            return null;
        return [.. asks.Select(a => a ? filled.Dequeue() : [])];
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
