using System.Runtime.InteropServices;

namespace Hami.Lab.Cluster;

/// <summary>What the build left where: found from our own place in the tree, so a test sees the build it belongs to.</summary>
internal static class BuiltPrograms
{
    /// <summary>The folder of Hami.sln.</summary>
    public static string Root { get; } = FindRoot();

    public static string Examples => Path.Combine(Root, "deploy", "examples");

    /// <summary>Where make puts libvgpu.so, the fake driver and the small programs.</summary>
    public static string Interceptor => Path.Combine(Root, "Hami.Interceptor", "build");

    public static IReadOnlyList<string> Api => Command("Hami.Api", "hami-api");

    /// <summary>The agent as it was built beside ours; <c>HAMI_NODE_AGENT</c> names another, such as the native one of <c>./hami native</c>.</summary>
    public static IReadOnlyList<string> NodeAgent => System.Environment.GetEnvironmentVariable("HAMI_NODE_AGENT") is { Length: > 0 } program
        ? [Path.GetFullPath(program)]
        : Command("Hami.NodeAgent", "hami-node-agent");

    public static IReadOnlyList<string> Lab => Command("Hami.Lab", "hami-lab");

    /// <summary>A lab runs many small servers on few cores: no heap and no profiling for big ones.</summary>
    public static IReadOnlyDictionary<string, string?> Environment { get; } = new Dictionary<string, string?>(StringComparer.Ordinal)
    {
        ["DOTNET_gcServer"] = "0",
        ["DOTNET_TieredPGO"] = "0",
        // Code is made fast as soon as it is seen to be used often, not first when a start has calmed down.
        ["DOTNET_TC_CallCountingDelayMs"] = "0",
        // A thread without work sleeps: on few cores, to spin takes the core from whoever has the work.
        ["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0",
    };

    // The runtime that runs us, wherever it is installed; an apphost would look only in the usual places.
    private static string Dotnet => Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"));

    /// <summary>The words that start a project's program as it was built beside ours.</summary>
    public static IReadOnlyList<string> Command(string project, string assembly)
    {
        // …/Hami.Lab/bin/Release/net10.0/ or …/Hami.Tests/bin/Debug/net10.0/
        var ours = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
        var built = Path.Combine(Root, project, "bin", ours.Parent!.Name, ours.Name, assembly + ".dll");
        return File.Exists(built) ? [Dotnet, built] : throw new InvalidOperationException($"{built} is not built; run `./hami build`.");
    }

    private static string FindRoot()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, "Hami.sln")))
                return at.FullName;
        throw new InvalidOperationException("The lab runs from a checkout: no Hami.sln above its programs.");
    }
}
