using System.Globalization;

namespace Hami.NodeAgent.Registering;

/// <summary>A PCI device's address as Linux writes it.</summary>
internal static class PciAddress
{
    /// <summary>NVML has eight digits of the domain and capitals (<c>00000000:3B:00.0</c>), Linux at least four and small letters (<c>0000:3b:00.0</c>); null for what is no address.</summary>
    public static string? Of(string busId) =>
        busId.Split(':', 2) is [var domain, { Length: > 0 } rest] && uint.TryParse(domain, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number)
            ? $"{number:x4}:{rest.ToLowerInvariant()}"
            : null;
}
