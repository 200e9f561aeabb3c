using System.Globalization;
using System.Text;

namespace Hami.Domain.Protocol;

/// <summary>What is signed of an allocation, and the annotation <see cref="HamiKeys.AllocationSignature"/> that carries the signature: <c>key id:base64</c>.</summary>
/// <param name="KeyId">Which key signed, see <see cref="KeyIdOf"/>.</param>
/// <param name="Signature">Ed25519 (RFC 8032), 64 bytes.</param>
public sealed record AllocationSignature(string KeyId, byte[] Signature)
{
    // A signature over this text can be taken for nothing else; its meaning changes with the number.
    private const string Purpose = "hami.io/allocation 1";
    private const int SignatureBytes = 64;

    /// <summary>The text that is signed: for which pod, on which node, and every card with its limits.</summary>
    /// <param name="deviceList">Value of <see cref="HamiKeys.DevicesAllocated"/>, as it stands.</param>
    /// <param name="mig">The MIG instances chosen; what the device plugin adds to them later does not count.</param>
    public static byte[] MessageOf(string podUid, string node, string allocationId, string deviceList, IEnumerable<MigAllocation> mig)
    {
        var text = new StringBuilder();
        Field(text, Purpose);
        Field(text, podUid);
        Field(text, node);
        Field(text, allocationId);
        Field(text, deviceList);
        foreach (var m in mig.OrderBy(m => m.ContainerIndex).ThenBy(m => m.DeviceIndex))
        {
            Field(text, string.Create(
                CultureInfo.InvariantCulture, $"{m.ContainerIndex} {m.DeviceIndex} {m.Placement?.Start} {m.Placement?.Size}"));
            Field(text, m.GpuUuid);
            Field(text, m.Profile);
        }
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>Short name of a public key: the first bytes of its SHA-256, in hex.</summary>
    public static string KeyIdOf(ReadOnlySpan<byte> publicKey) =>
        Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(publicKey))[..16];

    public string Encode() => $"{KeyId}:{Convert.ToBase64String(Signature)}";

    /// <summary>Reads the annotation; null when it is not written exactly so.</summary>
    public static AllocationSignature? TryDecode(string text)
    {
        var colon = text.IndexOf(':');
        var signature = new byte[SignatureBytes];
        if (colon <= 0 || !Convert.TryFromBase64String(text[(colon + 1)..], signature, out var length) || length != SignatureBytes)
            return null;
        // Base64 has several spellings of the same bytes; one of them is enough.
        var read = new AllocationSignature(text[..colon], signature);
        return read.Encode() == text ? read : null;
    }

    // With its length before it no field can pass for the beginning of the next.
    private static void Field(StringBuilder text, string value) => text.Append(value.Length).Append(':').Append(value).Append('\n');
}
