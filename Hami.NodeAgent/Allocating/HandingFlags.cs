using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Hami.NodeAgent.Plumbing;

namespace Hami.NodeAgent.Allocating;

/// <summary>The flags, and NVIDIA's variables for them, that say how containers get their devices.</summary>
internal static class HandingFlags
{
    private static readonly ImmutableDictionary<string, DeviceListStrategy> Words = new Dictionary<string, DeviceListStrategy>(StringComparer.Ordinal)
    {
        ["envvar"] = DeviceListStrategy.EnvVar,
        ["volume-mounts"] = DeviceListStrategy.VolumeMounts,
        ["cdi-annotations"] = DeviceListStrategy.CdiAnnotations,
        ["cdi-cri"] = DeviceListStrategy.CdiCri,
    }.ToImmutableDictionary(StringComparer.Ordinal);

    private static readonly Option<string> Strategy = Text("--device-list-strategy", "DEVICE_LIST_STRATEGY", "envvar",
        "How containers get their devices, a list of envvar, volume-mounts, cdi-annotations and cdi-cri.");

    private static readonly Option<string> IdStrategy = Text("--device-id-strategy", "DEVICE_ID_STRATEGY", "uuid", "By what devices are named to the runtime: uuid or index.");

    private static readonly Option<string> PassDeviceSpecs = Switch("--pass-device-specs", "PASS_DEVICE_SPECS", "Also name the device nodes, for runtimes that know nothing of NVIDIA.");

    private static readonly Option<string> DriverRoot = Text("--nvidia-driver-root", "NVIDIA_DRIVER_ROOT", "/", "The NVIDIA driver's root on the host.");

    private static readonly Option<string> DevRoot = Text("--nvidia-dev-root", "NVIDIA_DEV_ROOT", "", "Root of the device nodes on the host; the driver's when left out.", "--dev-root");

    private static readonly Option<string> GdrCopy = Switch("--gdrcopy-enabled", "GDRCOPY_ENABLED", "Give containers GDRCopy.");

    private static readonly Option<string> Gds = Switch("--gds-enabled", "GDS_ENABLED", "Give containers GPUDirect Storage.");

    private static readonly Option<string> Mofed = Switch("--mofed-enabled", "MOFED_ENABLED", "Give containers the Mellanox OFED devices.");

    private static readonly Option<string> AnnotationPrefix = Text("--cdi-annotation-prefix", "CDI_ANNOTATION_PREFIX", "cdi.k8s.io/", "Prefix of the annotation that names CDI devices.");

    private static readonly Option<string> Hook = Text("--nvidia-cdi-hook-path", "NVIDIA_CDI_HOOK_PATH", "/usr/bin/nvidia-ctk", "On the host: what the hooks of CDI specs start, nvidia-cdi-hook or nvidia-ctk.", "--nvidia-ctk-path");

    private static readonly Option<string> SpecDir = Text("--cdi-spec-dir", "CDI_SPEC_DIR", "/var/run/cdi", "Folder for CDI specs.");

    private static readonly Option<string> Imex = Text("--imex-channel-ids", "IMEX_CHANNEL_IDS", "", "IMEX channels for containers: 0, or none.");

    private static readonly Option<string> ImexRequired = Switch("--imex-required", "IMEX_REQUIRED", "Do not start without the IMEX channels.");

    private static readonly Option<string> AllowNoControl = Text("--allow-disable-control", "ALLOW_DISABLE_CONTROL", "true",
        "Whether a container with CUDA_DISABLE_CONTROL=true runs without the library, as HAMi documents; false holds it to its limits all the same.");

    public static IEnumerable<Option> All =>
    [
        Strategy, IdStrategy, PassDeviceSpecs, DriverRoot, DevRoot, DriverRootFlag.Option, GdrCopy, Gds, Mofed, AnnotationPrefix, Hook, SpecDir, Imex, ImexRequired, AllowNoControl,
    ];

    /// <exception cref="InvalidOperationException">A value cannot be read; the message is a sentence for the operator.</exception>
    public static HandingOptions Read(ParseResult given) => new()
    {
        Strategies = [.. Split(given, Strategy).Select(word => Words.TryGetValue(word, out var known) ? known
            : throw Bad(Strategy, word, "envvar, volume-mounts, cdi-annotations or cdi-cri")).Distinct()],
        IdStrategy = given.GetValue(IdStrategy) switch
        {
            "uuid" => DeviceIdStrategy.Uuid,
            "index" => DeviceIdStrategy.Index,
            var other => throw Bad(IdStrategy, other!, "uuid or index"),
        },
        PassDeviceSpecs = Bool(given, PassDeviceSpecs),
        DriverRoot = given.GetValue(DriverRoot)!,
        DevRoot = given.GetValue(DevRoot) is { Length: > 0 } root ? root : given.GetValue(DriverRoot)!,
        DriverRootHere = given.GetValue(DriverRootFlag.Option)!,
        GdrCopy = Bool(given, GdrCopy),
        Gds = Bool(given, Gds),
        Mofed = Bool(given, Mofed),
        CdiAnnotationPrefix = given.GetValue(AnnotationPrefix)!,
        CdiHook = given.GetValue(Hook)!,
        CdiSpecDir = given.GetValue(SpecDir)!,
        ImexChannels = [.. Split(given, Imex).Select(word => int.TryParse(word.Trim('[', ']'), NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : throw Bad(Imex, word, "0 or nothing"))],
        ImexRequired = Bool(given, ImexRequired),
        AllowsNoControl = Bool(given, AllowNoControl),
    };

    private static string[] Split(ParseResult given, Option<string> option) =>
        given.GetValue(option)!.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    // The words of Go's strconv.ParseBool.
    private static bool Bool(ParseResult given, Option<string> option) => given.GetValue(option) switch
    {
        "1" or "t" or "T" or "TRUE" or "true" or "True" or "" => true,
        "0" or "f" or "F" or "FALSE" or "false" or "False" => false,
        var other => throw Bad(option, other!, "true or false"),
    };

    private static InvalidOperationException Bad(Option option, string value, string wanted) => new($"{option.Name} is \"{value}\"; give {wanted}.");

    private static Option<string> Text(string name, string variable, string otherwise, string description, params string[] aliases) => new(name, aliases)
    {
        Description = $"{description} Else {variable}.",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? text : otherwise,
    };

    // With and without a value, as Go's flags.
    private static Option<string> Switch(string name, string variable, string description) => new(name)
    {
        Description = $"{description} Else {variable}.",
        Arity = ArgumentArity.ZeroOrOne,
        DefaultValueFactory = result => result.Tokens.Count == 0 && result.IdentifierTokenCount() > 0 ? "true"
            : Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? text : "false",
    };

    private static int IdentifierTokenCount(this ArgumentResult result) => (result.Parent as OptionResult)?.IdentifierTokenCount ?? 0;
}
