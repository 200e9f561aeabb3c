using Grpc.Core;
using Hami.Api.Access;
using Hami.Telemetry.V1;

namespace Hami.Api.Observing;

/// <summary>What node agents call: <c>hami.telemetry.v1.Telemetry/Report</c>, at the TLS listeners, where HTTP/2 is spoken.</summary>
internal sealed partial class TelemetryEndpoint(INodeGate gate, LiveTelemetry live, ILogger<TelemetryEndpoint> logger) : Telemetry.V1.Telemetry.TelemetryBase
{
    public override async Task<ReportResponse> Report(ReportRequest request, ServerCallContext context)
    {
        var http = context.GetHttpContext();
        try
        {
            if (request.Node.Length == 0)
                throw new ReportRefusedException("A report names no node.");
            await gate.AdmitAsync(http, request.Node);
            return live.Hear(request);
        }
        catch (AccessRefusedException e)
        {
            LogRefused(logger, http.Connection.RemoteIpAddress, e.Message);
            throw new RpcException(new(
                e.Status switch
                {
                    StatusCodes.Status401Unauthorized => StatusCode.Unauthenticated,
                    StatusCodes.Status403Forbidden => StatusCode.PermissionDenied,
                    _ => StatusCode.Unavailable,
                },
                e.Message));
        }
        catch (ReportRefusedException e)
        {
            throw new RpcException(new(StatusCode.InvalidArgument, e.Message));
        }
        catch (TooManyReportsException e)
        {
            throw new RpcException(new(StatusCode.ResourceExhausted, e.Message));
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "A report was not taken, from {Address}: {Why}.")]
    private static partial void LogRefused(ILogger logger, System.Net.IPAddress? address, string why);
}

/// <summary>Puts the room's telemetry together.</summary>
internal static class TelemetrySetup
{
    public static void AddTelemetry(this IServiceCollection services, string postgres, AccessOptions access, PrometheusOptions? prometheus)
    {
        services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = TelemetryLimits.ReportBytes);
        services.AddSingleton<TelemetryEndpoint>();
        if (access.Mode is AuthMode.None)
            services.AddSingleton<INodeGate, OpenNodeGate>();
        else
            services.AddSingleton<INodeGate, KubernetesNodeGate>();
        services.AddSingleton(s => new LiveTelemetry(s.GetRequiredService<Plumbing.ILedgerReader>(), s.GetRequiredService<TimeProvider>()));
        services.AddSingleton(s => new TelemetryRollups(
            s.GetRequiredService<LiveTelemetry>(), postgres, s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<TelemetryRollups>>()));
        services.AddHostedService(s => s.GetRequiredService<TelemetryRollups>());
        if (prometheus is not null)
            services.AddSingleton(_ => new PrometheusClient(prometheus)).AddSingleton<PrometheusTrends>();
        services.AddSingleton(s => new PastUse(s.GetRequiredService<LiveTelemetry>(), s.GetRequiredService<Asking.Rows>(), s.GetRequiredService<TimeProvider>()));
        services.AddSingleton(s => new TelemetryTrends(
            s.GetRequiredService<LiveTelemetry>(), s.GetRequiredService<TelemetryRollups>(), s.GetRequiredService<Asking.Rows>(), s.GetRequiredService<TimeProvider>(),
            s.GetService<PrometheusTrends>()));
    }

    public static void MapTelemetry(this IEndpointRouteBuilder routes) => routes.MapGrpcService<TelemetryEndpoint>();
}
