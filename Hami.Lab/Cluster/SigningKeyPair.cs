using System.Security.Cryptography;
using Org.BouncyCastle.Asn1;
using Org.BouncyCastle.Asn1.EdEC;
using Org.BouncyCastle.Asn1.Pkcs;
using Org.BouncyCastle.Asn1.X509;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.X509;

namespace Hami.Lab.Cluster;

/// <summary>The Ed25519 keys of a lab, in the files that <c>openssl genpkey -algorithm ed25519</c> and <c>openssl pkey -pubout</c> would write.</summary>
public static class SigningKeyPair
{
    /// <summary>Makes the pair where the private key is missing; the private one is readable by its owner alone.</summary>
    public static void Make(string privateFile, string publicFile)
    {
        if (File.Exists(privateFile) && File.Exists(publicFile))
            return;
        var seed = RandomNumberGenerator.GetBytes(32);
        var key = new Ed25519PrivateKeyParameters(seed);
        // Without the public key in it, which not every reader of PKCS#8 takes.
        var info = new PrivateKeyInfo(new AlgorithmIdentifier(EdECObjectIdentifiers.id_Ed25519), new DerOctetString(seed));
        PrivateFile.Write(privateFile, PemEncoding.WriteString("PRIVATE KEY", info.GetDerEncoded()) + '\n');
        var known = SubjectPublicKeyInfoFactory.CreateSubjectPublicKeyInfo(key.GeneratePublicKey());
        File.WriteAllText(publicFile, PemEncoding.WriteString("PUBLIC KEY", known.GetDerEncoded()) + '\n');
    }
}
