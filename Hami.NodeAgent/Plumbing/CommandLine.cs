using System.Collections.Immutable;
using System.CommandLine;
using System.Reflection;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Installing;
using Hami.NodeAgent.Observing;
using Hami.NodeAgent.Plumbing.Cluster;
using Hami.NodeAgent.Plumbing.Settings;
using Hami.NodeAgent.Registering;
using Serilog;
using Serilog.Events;

namespace Hami.NodeAgent.Plumbing;

/// <summary>The verbs <c>serve</c> and <c>version</c>.</summary>
internal static class CommandLine
{
    private static readonly Option<string> NodeName = new("--node-name")
    {
        Description = "Name of this node; NODE_NAME when left out.",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("NODE_NAME") ?? "",
    };

    private static readonly Option<string?> Kubeconfig = new("--kubeconfig")
    {
        Description = "Kubeconfig file; KUBECONFIG, then the pod's service account, when left out.",
    };

    private static readonly Option<string> KubeletDir = new("--kubelet-dir")
    {
        Description = "The kubelet's directory, with device-plugins/ and pod-resources/.",
        DefaultValueFactory = _ => "/var/lib/kubelet",
    };

    private static readonly Option<string> HookPath = new("--hook-path")
    {
        Description = "Host path whose folder vgpu/ holds the library and the containers' directories; HOOK_PATH when left out.",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("HOOK_PATH") is { Length: > 0 } path ? path : "/usr/local",
    };

    private static readonly Option<string?> Library = new("--interceptor")
    {
        Description = "libvgpu.so to install in the hook path's folder vgpu/, under a name made from its content; when left out, libvgpu.so and ld.so.preload are there already.",
    };

    private static readonly Option<string?> Simulate = new("--simulate")
    {
        Description = "For a lab: YAML file with the node's cards (uuid, model, memoryMiB, numa, healthy, mode, migProfiles), read again when it changes; NVML is not asked then.",
    };

    private static readonly Option<string[]> SigningPublicKey = new("--signing-public-key")
    {
        Description = "PEM file with the Ed25519 public key of hami-api's --signing-key-file: devices are given only for what it signed. May be repeated while keys are changed. Needed unless --accept-unsigned is given.",
        DefaultValueFactory = _ => [],
    };

    private static readonly Option<bool> AcceptUnsigned = new("--accept-unsigned")
    {
        Description = "For the time of a migration, or where hami-api has no key: also give devices for allocations without a signature, HAMi's among them. Whoever may write a pod's annotations can then give it devices.",
    };

    private static readonly Option<string?> HttpBind = new("--http-bind")
    {
        Description = "Address for GET /healthz, such as 127.0.0.1:9395; none when left out.",
    };

    private static readonly Option<string> LogLevel = new Option<string>("--log-level")
    {
        Description = "Least level that is logged.",
        DefaultValueFactory = _ => "info",
    }.AcceptOnlyFromAmong("debug", "info", "warning", "error");

    public static Task<int> Run(string[] args)
    {
        var serve = new Command("serve", "Publish this node's cards and hand them out to its containers.")
        {
            NodeName, Kubeconfig, KubeletDir, HookPath, Library, Simulate, SigningPublicKey, AcceptUnsigned, HttpBind, LogLevel,
        };
        foreach (var option in (IEnumerable<Option>)[.. DiscoveryFlags.All, .. SettingsFlags.All, .. HandingFlags.All, .. ObservingOptions.All, .. TelemetryFlags.All])
            serve.Add(option);
        serve.SetAction((given, cancellation) => Serve(given, cancellation));
        var version = new Command("version", "Print the version.");
        version.SetAction(_ => Console.WriteLine(typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion));
        var root = new RootCommand("HAMi's node agent: device plugin and registration of one node.") { serve, version };
        // The host sees to signals itself, so that the plugin's socket is removed before the process ends.
        return root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
    }

    private static async Task<int> Serve(ParseResult given, CancellationToken cancellation)
    {
        var options = new AgentOptions
        {
            NodeName = given.GetValue(NodeName)!,
            DeviceFile = given.GetValue(Simulate) is { Length: > 0 } file ? file : null,
            KubeletDir = Path.GetFullPath(given.GetValue(KubeletDir)!),
            HookPath = Path.GetFullPath(given.GetValue(HookPath)!),
            HttpBind = given.GetValue(HttpBind),
            AcceptUnsigned = given.GetValue(AcceptUnsigned),
            Observing = ObservingOptions.From(given),
        };
        ImmutableArray<Card> cards;
        ApiServerClient api;
        try
        {
            options = SettingsFlags.Into(DiscoveryFlags.Into(options, given), given);
            options = options with
            {
                ResourceName = new SettingsFiles(options).Read().ResourceName,
                Keys = TrustedKeys.Read(given.GetValue(SigningPublicKey)!),
                Handing = HandingFlags.Read(given),
                Telemetry = TelemetryFlags.Read(given),
            };
            if ((options.Fault() ?? options.Handing.Missing(DeviceFolder.Of(options.Handing))) is { } fault)
                return await Fail(fault);
            if (given.GetValue(Library) is { Length: > 0 } library)
                options = options with { LibraryFile = Interceptor.Install(library, options.VgpuDir) };
            cards = options.DeviceFile is { } simulated ? DeviceFile.Read(simulated) : [];
            api = ClusterAccess.Open(given.GetValue(Kubeconfig));
        }
        catch (Exception e) when (e is DeviceFileException or SettingsException or InvalidOperationException)
        {
            return await Fail(e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return await Fail($"The library {given.GetValue(Library)} was not installed into {options.VgpuDir}: {e.Message} Give --interceptor a file that is there and --hook-path a folder we may write.");
        }

        await using var logger = new LoggerConfiguration()
            .MinimumLevel.Is(given.GetValue(LogLevel) switch
            {
                "debug" => LogEventLevel.Debug,
                "warning" => LogEventLevel.Warning,
                "error" => LogEventLevel.Error,
                _ => LogEventLevel.Information,
            })
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
            .MinimumLevel.Override("Grpc", LogEventLevel.Warning)
            .WriteTo.Console(outputTemplate: "{Timestamp:yyyy-MM-ddTHH:mm:ss.fffzzz} {Level:u3} {Message:lj}{NewLine}{Exception}")
            .CreateLogger();
        using var host = AgentHost.Build(options, cards, api, logging => logging.AddSerilog(logger));
        await host.RunAsync(cancellation);
        return 0;
    }

    private static async Task<int> Fail(string sentence)
    {
        await Console.Error.WriteLineAsync(sentence);
        return 1;
    }
}
