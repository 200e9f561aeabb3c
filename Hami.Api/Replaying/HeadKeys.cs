using System.Collections.Immutable;
using System.Security.Cryptography;
using Hami.Domain.Protocol;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Math.EC.Rfc8032;
using Org.BouncyCastle.Security;

namespace Hami.Api.Replaying;

/// <summary>The Ed25519 keys by which exported heads are known to be ours; several while keys are changed.</summary>
internal sealed class HeadKeys
{
    private readonly ImmutableDictionary<string, Ed25519PublicKeyParameters> _byId;

    private HeadKeys(ImmutableDictionary<string, Ed25519PublicKeyParameters> byId) => _byId = byId;

    /// <summary>Reads PEM files with public keys, or with the private ones that heads are signed with.</summary>
    /// <exception cref="FormatException">One holds no such key.</exception>
    /// <exception cref="IOException">One cannot be read.</exception>
    public static HeadKeys Read(IEnumerable<string> files)
    {
        var keys = ImmutableDictionary.CreateBuilder<string, Ed25519PublicKeyParameters>(StringComparer.Ordinal);
        foreach (var key in files.Select(File.ReadAllText).SelectMany(KeysOf))
            keys[AllocationSignature.KeyIdOf(key.GetEncoded())] = key;
        return new(keys.ToImmutable());
    }

    /// <summary>Why the head is not known to be ours; null when it is.</summary>
    public string? WhyNot(ExportedHead head) =>
        AllocationSignature.TryDecode(head.Signature) is not { } signature ? "its signature cannot be read"
        : !_byId.TryGetValue(signature.KeyId, out var key) ? $"it is signed with the key {signature.KeyId}, which was not given"
        : !key.Verify(Ed25519.Algorithm.Ed25519, null, head.Message(), 0, head.Message().Length, signature.Signature, 0) ? "its signature does not fit"
        : null;

    private static List<Ed25519PublicKeyParameters> KeysOf(string text)
    {
        var keys = new List<Ed25519PublicKeyParameters>();
        for (var rest = text; PemEncoding.TryFind(rest, out var pem); rest = rest[pem.Location.End..])
        {
            try
            {
                var bytes = Convert.FromBase64String(rest[pem.Base64Data]);
                keys.Add(rest[pem.Label] switch
                {
                    "PUBLIC KEY" => PublicKeyFactory.CreateKey(bytes) as Ed25519PublicKeyParameters,
                    "PRIVATE KEY" => (PrivateKeyFactory.CreateKey(bytes) as Ed25519PrivateKeyParameters)?.GeneratePublicKey(),
                    _ => null,
                }
                ?? throw new FormatException($"its {rest[pem.Label]} is not for Ed25519"));
            }
            catch (Exception e) when (e is ArgumentException or SecurityUtilityException or InvalidCastException)
            {
                throw new FormatException($"its key cannot be read: {e.Message}", e);
            }
        }
        return keys.Count > 0 ? keys : throw new FormatException("it holds no key in PEM; make one with: openssl genpkey -algorithm ed25519");
    }
}
