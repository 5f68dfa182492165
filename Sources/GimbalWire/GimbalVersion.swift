/// What this build is.
public enum GimbalVersion {
    public static let current = "0.1.0"
    /// What `/_pivot/version` answers: never the number of another project's protocol.
    public static let `protocol` = "gimbal/1"
}
