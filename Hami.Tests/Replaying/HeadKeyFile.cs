using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Pkcs;
using Org.BouncyCastle.Security;

namespace Hami.Tests.Replaying;

/// <summary>A new key to sign heads with.</summary>
internal static class HeadKeyFile
{
    /// <summary>Path of a PEM file as <c>openssl genpkey -algorithm ed25519</c> writes it.</summary>
    public static string Create()
    {
        var generator = new Ed25519KeyPairGenerator();
        generator.Init(new Ed25519KeyGenerationParameters(new SecureRandom()));
        var key = PrivateKeyInfoFactory.CreatePrivateKeyInfo(generator.GenerateKeyPair().Private).GetDerEncoded();
        var file = Path.GetTempFileName();
        File.WriteAllText(file, System.Security.Cryptography.PemEncoding.WriteString("PRIVATE KEY", key));
        return file;
    }
}
