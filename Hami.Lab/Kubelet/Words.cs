using Grpc.Core;

namespace Hami.Lab.Kubelet;

/// <summary>Errors in the words that grpc-go would have printed, because users read them in the pod's status.</summary>
internal static class Words
{
    public static string Of(RpcException e)
    {
        var code = e.StatusCode is StatusCode.Cancelled ? "Canceled" : e.StatusCode.ToString();
        // A plugin that died in the middle of a call: grpc-go says it this way (recorded).
        var broken = e.StatusCode is StatusCode.Unavailable or StatusCode.Internal && e.Status.DebugException is IOException or HttpRequestException;
        return broken
            ? "rpc error: code = Unavailable desc = error reading from server: EOF"
            : $"rpc error: code = {code} desc = {e.Status.Detail}";
    }
}
