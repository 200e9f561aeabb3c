using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Hami.Lab.Kubelet;

/// <summary>The certificate of a kubelet's own server, signed by itself: an API server without <c>--kubelet-certificate-authority</c> does not verify it.</summary>
internal static class KubeletCertificate
{
    public static X509Certificate2 Create(string nodeName, IPAddress address, TimeProvider time)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        // A node's name may be longer than a common name's 64 characters.
        var request = new CertificateRequest($"CN={nodeName[..Math.Min(nodeName.Length, 64)]}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(address);
        names.AddDnsName(nodeName);
        request.CertificateExtensions.Add(names.Build());
        var now = time.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddYears(1));
    }
}
