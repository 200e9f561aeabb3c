using System.Reflection;
using System.Runtime.InteropServices;

namespace Hami.NodeAgent.Plumbing;

/// <summary>Which build this is, in the words of HAMi's metric <c>hami_build_info</c>.</summary>
/// <param name="Revision">Commit it was built from; <c>unknown</c> outside a checkout.</param>
/// <param name="BuildDate">As given to the build (<c>-p:BuildDate=…</c>); <c>unknown</c> otherwise, as builds are reproducible.</param>
/// <param name="Runtime">What runs it; HAMi calls this <c>go_version</c>.</param>
internal sealed record BuildFacts(string Version, string Revision, string BuildDate, string Runtime, string Compiler, string Platform)
{
    private const string Unknown = "unknown";

    public static readonly BuildFacts Here = Of(typeof(BuildFacts).Assembly);

    private static BuildFacts Of(Assembly assembly)
    {
        // 0.1.0+<commit>, as the SDK writes it.
        var version = assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+') ?? [Unknown];
        return new(
            version[0], version.Length > 1 ? version[1] : Unknown,
            assembly.GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(a => a.Key == "BuildDate")?.Value is { Length: > 0 } date ? date : Unknown,
            RuntimeInformation.FrameworkDescription, "roslyn", $"linux/{(RuntimeInformation.ProcessArchitecture is Architecture.X64 ? "amd64" : "arm64")}");
    }
}
