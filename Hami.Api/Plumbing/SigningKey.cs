using System.Security.Cryptography;
using Hami.Domain.Protocol;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Math.EC.Rfc8032;
using Org.BouncyCastle.Security;

namespace Hami.Api.Plumbing;

/// <summary>An Ed25519 private key.</summary>
internal sealed class SigningKey
{
    private readonly Ed25519PrivateKeyParameters _key;

    private SigningKey(Ed25519PrivateKeyParameters key)
    {
        _key = key;
        Id = AllocationSignature.KeyIdOf(key.GeneratePublicKey().GetEncoded());
    }

    /// <summary>What verifiers know the key by.</summary>
    public string Id { get; }

    /// <summary>Reads a PEM file with one PKCS#8 key, as <c>openssl genpkey -algorithm ed25519</c> writes it.</summary>
    /// <exception cref="FormatException">It holds no such key.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static SigningKey Read(string file)
    {
        var text = File.ReadAllText(file);
        if (!PemEncoding.TryFind(text, out var pem) || text[pem.Label] != "PRIVATE KEY")
            throw new FormatException("it is not a PEM file with a PRIVATE KEY (PKCS#8); make one with: openssl genpkey -algorithm ed25519");
        try
        {
            return PrivateKeyFactory.CreateKey(Convert.FromBase64String(text[pem.Base64Data])) is Ed25519PrivateKeyParameters key
                ? new(key)
                : throw new FormatException("its key is not for Ed25519; make one with: openssl genpkey -algorithm ed25519");
        }
        catch (Exception e) when (e is ArgumentException or SecurityUtilityException or IOException or InvalidCastException)
        {
            throw new FormatException($"its key cannot be read: {e.Message}", e);
        }
    }

    /// <summary>True when this key made the signature.</summary>
    public bool Verify(AllocationSignature signature, byte[] message) =>
        signature.KeyId == Id && _key.GeneratePublicKey().Verify(Ed25519.Algorithm.Ed25519, null, message, 0, message.Length, signature.Signature, 0);

    /// <summary>Signs a message, RFC 8032; 64 bytes.</summary>
    public byte[] Sign(byte[] message)
    {
        var signature = new byte[Ed25519.SignatureSize];
        _key.Sign(Ed25519.Algorithm.Ed25519, null, message, 0, message.Length, signature, 0);
        return signature;
    }
}
