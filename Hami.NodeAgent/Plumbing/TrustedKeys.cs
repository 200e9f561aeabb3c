using System.Collections.Immutable;
using System.Security.Cryptography;
using Hami.Domain.Protocol;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Math.EC.Rfc8032;
using Org.BouncyCastle.Security;

namespace Hami.NodeAgent.Plumbing;

/// <summary>The Ed25519 public keys by which this node knows the scheduler's results; several while keys are changed.</summary>
internal sealed record TrustedKeys(ImmutableDictionary<string, Ed25519PublicKeyParameters> ById)
{
    public static readonly TrustedKeys None = new(ImmutableDictionary<string, Ed25519PublicKeyParameters>.Empty);

    /// <summary>Reads PEM files, each with one or more public keys as <c>openssl pkey -pubout</c> writes them.</summary>
    /// <exception cref="InvalidOperationException">One cannot be used; the message is a sentence for the operator.</exception>
    public static TrustedKeys Read(IEnumerable<string> files)
    {
        var keys = ImmutableDictionary.CreateBuilder<string, Ed25519PublicKeyParameters>(StringComparer.Ordinal);
        foreach (var file in files)
        {
            try
            {
                foreach (var key in KeysOf(File.ReadAllText(file)))
                    keys[AllocationSignature.KeyIdOf(key.GetEncoded())] = key;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or ArgumentException or SecurityUtilityException)
            {
                throw new InvalidOperationException(
                    $"--signing-public-key {file} cannot be used ({e.Message}); give it the output of: openssl pkey -in signing-key.pem -pubout", e);
            }
        }
        return new(keys.ToImmutable());
    }

    /// <summary>True when a key of ours made this signature over the message.</summary>
    public bool Verify(AllocationSignature signature, byte[] message) =>
        ById.TryGetValue(signature.KeyId, out var key)
        && key.Verify(Ed25519.Algorithm.Ed25519, null, message, 0, message.Length, signature.Signature, 0);

    private static IEnumerable<Ed25519PublicKeyParameters> KeysOf(string text)
    {
        var found = 0;
        for (var rest = text; PemEncoding.TryFind(rest, out var pem); rest = rest[pem.Location.End..], found++)
        {
            if (rest[pem.Label] != "PUBLIC KEY")
                throw new FormatException($"it holds a {rest[pem.Label]}, not a PUBLIC KEY");
            yield return PublicKeyFactory.CreateKey(Convert.FromBase64String(rest[pem.Base64Data])) as Ed25519PublicKeyParameters
                ?? throw new FormatException("its key is not for Ed25519");
        }
        if (found == 0)
            throw new FormatException("it holds no key in PEM");
    }
}
