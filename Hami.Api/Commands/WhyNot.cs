using System.Security.Cryptography;
using k8s.Exceptions;
using YamlDotNet.Core;

namespace Hami.Api.Commands;

/// <summary>Tries what a flag names.</summary>
internal static class WhyNot
{
    /// <summary>Why something cannot be read, in one line; null when it can.</summary>
    public static string? Of(Action read)
    {
        try
        {
            read();
            return null;
        }
        catch (Exception e) when (e is ArgumentException or FormatException or CryptographicException or KubeConfigException or IOException or UnauthorizedAccessException or YamlException)
        {
            return e.Message.ReplaceLineEndings(" ");
        }
    }
}
