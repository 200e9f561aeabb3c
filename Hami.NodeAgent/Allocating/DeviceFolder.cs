using System.Globalization;

namespace Hami.NodeAgent.Allocating;

/// <summary>Which device nodes there are; a name is a path from the root, such as <c>/dev/nvidiactl</c>.</summary>
/// <param name="beginningWith">All nodes whose path begins so.</param>
internal sealed class DeviceFolder(Func<string, IEnumerable<string>> beginningWith)
{
    // NVIDIA's k8s-device-plugin gives these with every card.
    private static readonly string[] Control = ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset"];

    /// <summary>Those of this machine.</summary>
    public static DeviceFolder Of(HandingOptions how) => new(path =>
    {
        var folder = Path.GetDirectoryName(how.DevHere + path["/dev".Length..])!;
        return Directory.Exists(folder)
            ? Directory.EnumerateFiles(folder, Path.GetFileName(path) + "*").Select(file => "/dev" + file[how.DevHere.Length..]).Order(StringComparer.Ordinal)
            : [];
    });

    /// <summary>Those that belong to no card.</summary>
    public IEnumerable<string> Common => Control.Where(Has);

    public bool Has(string path) => BeginningWith(path).Contains(path, StringComparer.Ordinal);

    public IEnumerable<string> BeginningWith(string path) => beginningWith(path);

    public static string Card(int minor) => string.Create(CultureInfo.InvariantCulture, $"/dev/nvidia{minor}");

    public static string ImexChannel(int id) => string.Create(CultureInfo.InvariantCulture, $"/dev/nvidia-caps-imex-channels/channel{id}");

    /// <summary>The channels asked for that are there.</summary>
    public IEnumerable<int> Channels(HandingOptions how) => how.ImexChannels.Where(id => Has(ImexChannel(id)));
}
