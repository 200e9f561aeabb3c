using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Hami.NodeAgent.Allocating;

/// <summary>What the runtime is to do to a container that gets a device (Container Device Interface, 0.5.0).</summary>
internal static partial class CdiSpec
{
    /// <summary>NVIDIA's plugin names its own devices so, apart from those that its toolkit makes.</summary>
    public const string Vendor = "k8s.device-plugin.nvidia.com";

    /// <summary>What <see cref="DeviceAnswer"/> hands out: cards, channels, and the extras that there are.</summary>
    public static IEnumerable<string> Names(IEnumerable<string> ids, IEnumerable<int> channels, IEnumerable<string> extras) =>
    [
        .. ids.Select(id => $"{Vendor}/gpu={id}"),
        .. channels.Select(id => string.Create(CultureInfo.InvariantCulture, $"{Vendor}/imex-channel={id}")),
        .. extras.Select(extra => $"{Vendor}/{extra}=all"),
    ];

    /// <summary>What is asked for beside cards, and is there: its class and its device nodes.</summary>
    public static IReadOnlyList<(string Class, ImmutableArray<string> Nodes)> Extras(HandingOptions how, DeviceFolder folder) =>
    [
        .. new (bool On, string Class, string[] Prefixes)[]
        {
            (how.GdrCopy, "gdrcopy", ["/dev/gdrdrv"]),
            (how.Gds, "gds", ["/dev/nvidia-fs"]),
            (how.Mofed, "mofed", ["/dev/infiniband/uverbs", "/dev/infiniband/rdma_cm"]),
        }.Where(e => e.On).Select(e => (e.Class, Nodes: e.Prefixes.SelectMany(folder.BeginningWith).ToImmutableArray())).Where(e => e.Nodes.Length > 0),
    ];

    /// <summary>The text of each spec file, by its name.</summary>
    public static ImmutableSortedDictionary<string, string> Files(IEnumerable<HandedDevice> devices, HandingOptions how, DeviceFolder folder, DriverFiles driver)
    {
        var files = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        List<Device> cards = [.. devices.DistinctBy(d => d.Uuid).SelectMany(d => new[] { d.Uuid, d.Index }.Distinct(StringComparer.Ordinal).Select(name => new Device(name, Of(d.Nodes, how))))];
        if (cards.Count > 0)
            Add("gpu", cards, Common(how, folder, driver));
        List<Device> channels = [.. folder.Channels(how).Select(id => new Device(id.ToString(CultureInfo.InvariantCulture), Of([DeviceFolder.ImexChannel(id)], how)))];
        if (channels.Count > 0)
            Add("imex-channel", channels, new());
        foreach (var (extra, nodes) in Extras(how, folder))
            Add(extra, [new("all", Of(nodes, how))], new());
        return files.ToImmutable();

        void Add(string kind, List<Device> all, Edits common) =>
            files[FileName(kind)] = JsonSerializer.Serialize(new Spec("0.5.0", $"{Vendor}/{kind}", all, common), SpecJson.Default.Spec) + "\n";
    }

    public static string FileName(string kind) => $"{Vendor}-{kind}.json";

    private static Edits Of(IEnumerable<string> nodes, HandingOptions how) => new()
    {
        DeviceNodes = [.. nodes.Select(node => new Node(node, how.DevRoot == "/" ? null : how.DevRoot.TrimEnd('/') + node))],
    };

    // With every card: the driver's control nodes, its libraries and programs, and what makes the loader find them.
    private static Edits Common(HandingOptions how, DeviceFolder folder, DriverFiles driver) => Of(folder.Common, how) with
    {
        // The NVIDIA runtime must not add what is added here.
        Env = ["NVIDIA_VISIBLE_DEVICES=void"],
        Mounts = driver.All.IsEmpty ? null : [.. driver.All.Select(file => new Mount(how.DriverRoot.TrimEnd('/') + file, file, ["ro", "nosuid", "nodev", "rbind", "rprivate"]))],
        Hooks = driver.LibraryFolder is not { } libraries ? null :
        [
            Hook(how, "create-symlinks", "--link", $"libcuda.so.1::{libraries}/libcuda.so"),
            Hook(how, "update-ldcache", "--folder", libraries),
        ],
    };

    // nvidia-ctk has the hooks as verbs of its own verb; nvidia-cdi-hook has nothing else.
    private static Hook Hook(HandingOptions how, params string[] words)
    {
        var program = Path.GetFileName(how.CdiHook);
        return new("createContainer", how.CdiHook, [program, .. program == "nvidia-ctk" ? ["hook"] : Array.Empty<string>(), .. words]);
    }

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, WriteIndented = true)]
    [JsonSerializable(typeof(Spec))]
    private sealed partial class SpecJson : JsonSerializerContext;

    private sealed record Spec(string CdiVersion, string Kind, IReadOnlyList<Device> Devices, Edits ContainerEdits);

    private sealed record Device(string Name, Edits ContainerEdits);

    private sealed record Edits
    {
        public IReadOnlyList<string>? Env { get; init; }

        public IReadOnlyList<Node>? DeviceNodes { get; init; }

        public IReadOnlyList<Mount>? Mounts { get; init; }

        public IReadOnlyList<Hook>? Hooks { get; init; }
    }

    private sealed record Node(string Path, string? HostPath);

    private sealed record Mount(string HostPath, string ContainerPath, IReadOnlyList<string> Options);
}

/// <summary>A program that the runtime starts while it makes a container.</summary>
internal sealed record Hook(string HookName, string Path, IReadOnlyList<string> Args);

/// <summary>The user's part of the driver: paths from its root.</summary>
/// <param name="LibraryFolder">Null when no driver is found.</param>
internal sealed record DriverFiles(string? LibraryFolder, ImmutableArray<string> All)
{
    public static readonly DriverFiles None = new(null, []);

    private static readonly string[] LibraryFolders =
        ["/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu"];

    private static readonly string[] Programs =
        ["/usr/bin/nvidia-smi", "/usr/bin/nvidia-debugdump", "/usr/bin/nvidia-persistenced", "/usr/bin/nvidia-cuda-mps-control", "/usr/bin/nvidia-cuda-mps-server"];

    private static readonly string[] Sockets = ["/run/nvidia-persistenced/socket", "/run/nvidia-fabricmanager/socket"];

    /// <summary>Looks for them under the driver's root as it is mounted here: the libraries that carry the version of libcuda.so.</summary>
    public static DriverFiles Find(string root)
    {
        root = Directory.Exists(root) ? root.TrimEnd('/') : "";
        foreach (var folder in LibraryFolders.Where(folder => Directory.Exists(root + folder)))
        {
            var version = Directory.EnumerateFiles(root + folder, "libcuda.so.*").Select(file => Path.GetFileName(file)["libcuda.so.".Length..])
                .Where(text => text.Contains('.')).Order(StringComparer.Ordinal).LastOrDefault();
            if (version is null)
                continue;
            return new(folder,
            [
                .. Directory.EnumerateFiles(root + folder, $"*.so.{version}").Select(file => $"{folder}/{Path.GetFileName(file)}").Order(StringComparer.Ordinal),
                .. Programs.Concat(Sockets).Where(file => File.Exists(root + file)),
            ]);
        }
        return None;
    }
}
